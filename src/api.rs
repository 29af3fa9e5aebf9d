//! The functions that SQL sees, thin: arguments in, result out. Their SQL declarations are in `sql/`.

mod account;
mod clock;
mod outcome;
mod price;
mod raise;
mod spend;
mod token;
