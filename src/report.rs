//! What reports compute beyond sums, apart from the database: numbers in, numbers out.

pub mod backtest;
pub mod calibration;
pub mod forecast;
pub mod invoice;
pub mod series;
