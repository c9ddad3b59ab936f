//! The pairwise reductions: the CPU against the reference within rounding bounds, properties that hold whatever the numbers are,
//! gradients by differences, the same bits for any number of threads, and what is refused.

mod against_reference;
mod data;
mod gradients;
mod properties;
mod refused;
mod same_bits;
