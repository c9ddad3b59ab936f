//! Who computes.

pub mod cpu;
