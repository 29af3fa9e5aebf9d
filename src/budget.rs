//! What a budget is, apart from the database: its meter, its windows, and whether a call fits into it.

pub mod decision;
pub mod meter;
pub mod refusal;
pub mod rollover;
pub mod settlement;
pub mod watch;
pub mod window;
