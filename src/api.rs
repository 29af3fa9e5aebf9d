//! The functions that SQL sees, thin: arguments in, result out. Their SQL declarations are in `sql/`.

mod access;
mod account;
mod adjust;
mod argument;
mod backtest;
mod batch;
mod check;
mod engine;
mod forecast;
mod invoice;
mod outcome;
mod price;
mod raise;
mod remaining;
mod report;
mod spend;
mod token;
mod window;
