//! Settings. None of them takes part in a decision of a live system: under a transaction pooler a session's settings leak
//! to the next client.

use std::ffi::CString;
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

static CLOCK: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// The instant that a test injects in place of the database clock, as text.
pub fn clock() -> Option<CString> {
    CLOCK.get().filter(|text| !text.is_empty())
}

static ENGINE: GucSetting<EngineChoice> = GucSetting::<EngineChoice>::new(EngineChoice::Auto);
static BALANCES_MAX: GucSetting<i32> = GucSetting::<i32>::new(65_536);
static UPKEEP_INTERVAL_S: GucSetting<i32> = GucSetting::<i32>::new(60);
static CHECKPOINT_INTERVAL_MS: GucSetting<i32> = GucSetting::<i32>::new(2_000);

#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
enum EngineChoice {
    #[name = c"auto"]
    Auto,
    #[name = c"rows"]
    Rows,
}

/// Whether balances are to be kept in shared memory where the server has it.
pub fn is_escrow_wanted() -> bool {
    ENGINE.get() == EngineChoice::Auto
}

/// How many balances shared memory has room for.
pub fn balances_max() -> i32 {
    BALANCES_MAX.get()
}

/// How often databases are kept up; never where the setting is 0.
pub fn upkeep_interval() -> Option<Duration> {
    u64::try_from(UPKEEP_INTERVAL_S.get()).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// How often a checkpoint is written where something has changed, in milliseconds.
pub fn checkpoint_interval_ms() -> i32 {
    CHECKPOINT_INTERVAL_MS.get()
}

/// Registers the settings; called once when the library is loaded.
pub fn init() {
    // SAFETY: a plain flag of the process.
    if unsafe { pgrx::pg_sys::process_shared_preload_libraries_in_progress } {
        init_preloaded();
    }
    GucRegistry::define_string_guc(
        c"tokbudget.clock",
        c"Instant that stands in for the database clock, for tests.",
        c"A timestamp with time zone. Empty means the database clock. Only superusers can set it.",
        &CLOCK,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// Settings of a server that preloads the library; without that there is no shared memory, and they would have no effect.
fn init_preloaded() {
    GucRegistry::define_enum_guc(
        c"tokbudget.engine",
        c"Engine that keeps the balances: auto for the one in shared memory, rows for the one that locks rows.",
        c"One for the whole server, because two engines at once would not know of each other.",
        &ENGINE,
        GucContext::Postmaster,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"tokbudget.balances_max",
        c"How many balances shared memory has room for, about 150 bytes each.",
        c"A balance is a budget in one window, or a grant. More than that take turns.",
        &BALANCES_MAX,
        128,
        16_777_216,
        GucContext::Postmaster,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"tokbudget.checkpoint_interval",
        c"How often balances are written to their table while they change.",
        c"What has come since then is read when a balance is touched for the first time.",
        &CHECKPOINT_INTERVAL_MS,
        100,
        3_600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"tokbudget.upkeep_interval",
        c"How often expired reservations are closed, old idempotency keys deleted and partitions made in every database.",
        c"What tb_maintain() does. 0 leaves it to whoever runs jobs.",
        &UPKEEP_INTERVAL_S,
        0,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}
