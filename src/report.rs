//! What reports compute apart from the database.

pub mod invoice;
