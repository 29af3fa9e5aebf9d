//! What is computed for reports, apart from the database.

pub mod backtest;
