//! What reports compute beyond sums. Pure: numbers in, numbers out.

pub mod forecast;
