//! Settings. None of them takes part in a decision of a live system: under a transaction pooler a session's settings leak
//! to the next client.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static CLOCK: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// The instant that a test injects in place of the database clock, as text.
pub fn clock() -> Option<CString> {
    CLOCK.get().filter(|text| !text.is_empty())
}

/// Registers the settings; called once when the library is loaded.
pub fn init() {
    GucRegistry::define_string_guc(
        c"tokbudget.clock",
        c"Instant that stands in for the database clock, for tests.",
        c"A timestamp with time zone. Empty means the database clock. Only superusers can set it.",
        &CLOCK,
        GucContext::Suset,
        GucFlags::default(),
    );
}
