//! `tokbudget`: LLM token accounting inside PostgreSQL.
//!
//! The modules that compute (tokenizer, usage, price, budget, account, privilege, id, report, engine::decide) are pure Rust and know nothing of PostgreSQL.
//! Data flows one way: `api` → `ledger` → those and `engine`; nothing points back.

pub mod account;
pub mod budget;
pub mod engine;
pub mod id;
pub mod instant;
pub mod nearest;
pub mod price;
pub mod privilege;
pub mod refusal;
pub mod report;
pub mod tokenizer;
pub mod usage;

#[cfg(feature = "postgres")]
mod advisory;
#[cfg(feature = "postgres")]
mod api;
#[cfg(feature = "postgres")]
mod clock;
#[cfg(feature = "postgres")]
mod guc;
#[cfg(feature = "postgres")]
mod invalidation;
#[cfg(feature = "postgres")]
mod jsonb;
#[cfg(feature = "postgres")]
mod ledger;
#[cfg(feature = "postgres")]
mod schema;
#[cfg(feature = "postgres")]
mod statement;
#[cfg(feature = "postgres")]
mod worker;

#[cfg(feature = "postgres")]
pgrx::pg_module_magic!(name, version);

/// Called by PostgreSQL when it loads the library: once in the postmaster when preloaded, else once per session on first use.
#[cfg(feature = "postgres")]
#[pgrx::pg_guard]
#[allow(non_snake_case, reason = "the name is PostgreSQL's")]
pub extern "C-unwind" fn _PG_init() {
    guc::init();
    invalidation::init();
    engine::init();
    // SAFETY: a plain flag of the process, read before any thread exists.
    if unsafe { pgrx::pg_sys::process_shared_preload_libraries_in_progress } {
        engine::init_preloaded();
        worker::init();
        // Sessions inherit the tables by fork, instead of building tens of megabytes each.
        tokenizer::preload();
    }
}
