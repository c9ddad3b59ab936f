//! The `disentangle` command.
fn main() {}
