use proptest::prelude::*;

use super::*;

fn instant(text: &str) -> Instant {
    text.parse::<DateTime<Utc>>().expect("test instant").into()
}

fn window(every: Calendar, zone: &str, at: &str) -> (String, String) {
    let window = window_at(Some(every), zone.parse().expect("test zone"), instant(at)).expect("window");
    (window.start.to_string(), window.end.to_string())
}

fn assert_window(every: Calendar, zone: &str, at: &str, start: &str, end: &str) {
    assert_eq!(window(every, zone, at), (start.to_string(), end.to_string()), "{every:?} {zone} {at}");
}

#[test]
fn calendar_units_in_utc() {
    let at = "2026-11-21T23:41:05.25Z";
    assert_window(Calendar::Minute, "UTC", at, "2026-11-21T23:41:00Z", "2026-11-21T23:42:00Z");
    assert_window(Calendar::Hour, "UTC", at, "2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z");
    assert_window(Calendar::Day, "UTC", at, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z");
    assert_window(Calendar::Week, "UTC", at, "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z");
    assert_window(Calendar::Month, "UTC", at, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_window(Calendar::Quarter, "UTC", at, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_window(Calendar::Year, "UTC", at, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
}

#[test]
fn boundaries_belong_to_the_window_they_begin() {
    assert_window(Calendar::Month, "UTC", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_window(
        Calendar::Month,
        "UTC",
        "2026-11-30T23:59:59.999999Z",
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    );
    assert_window(Calendar::Week, "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z");
}

#[test]
fn leap_days_and_year_ends() {
    assert_window(Calendar::Month, "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
    assert_window(Calendar::Month, "UTC", "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z");
    assert_window(Calendar::Week, "UTC", "2027-01-01T12:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z");
}

#[test]
fn days_over_daylight_saving_changes() {
    // Berlin: clocks go forward on 2026-03-29 and back on 2026-10-25.
    assert_window(
        Calendar::Day,
        "Europe/Berlin",
        "2026-03-29T12:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    );
    assert_window(
        Calendar::Day,
        "Europe/Berlin",
        "2026-10-25T12:00:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    );
    assert_window(
        Calendar::Month,
        "America/New_York",
        "2026-03-15T00:00:00Z",
        "2026-03-01T05:00:00Z",
        "2026-04-01T04:00:00Z",
    );
}

#[test]
fn a_midnight_that_does_not_exist_begins_when_the_clocks_land() {
    // Santiago skips from 24:00 of 2026-09-05 to 01:00 of 2026-09-06, which is 04:00 UTC.
    assert_window(
        Calendar::Day,
        "America/Santiago",
        "2026-09-06T12:00:00Z",
        "2026-09-06T04:00:00Z",
        "2026-09-07T03:00:00Z",
    );
    // Samoa had no 2011-12-30 at all.
    assert_window(
        Calendar::Day,
        "Pacific/Apia",
        "2011-12-30T09:59:59Z",
        "2011-12-29T10:00:00Z",
        "2011-12-30T10:00:00Z",
    );
    assert_window(
        Calendar::Day,
        "Pacific/Apia",
        "2011-12-30T10:00:00Z",
        "2011-12-30T10:00:00Z",
        "2011-12-31T10:00:00Z",
    );
}

#[test]
fn a_midnight_that_comes_twice_begins_the_day_once() {
    // St. John's went back from 00:01 to 23:01 on 2010-11-07: the 7th began at 02:30 UTC and was not left again.
    let day = ("2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z");
    assert_window(Calendar::Day, "America/St_Johns", "2010-11-07T02:30:30Z", day.0, day.1);
    assert_window(Calendar::Day, "America/St_Johns", "2010-11-07T02:45:00Z", day.0, day.1);
    assert_window(Calendar::Day, "America/St_Johns", "2010-11-07T12:00:00Z", day.0, day.1);
}

#[test]
fn a_repeated_hour_is_two_windows() {
    assert_window(
        Calendar::Hour,
        "Europe/Berlin",
        "2026-10-25T00:30:00Z",
        "2026-10-25T00:00:00Z",
        "2026-10-25T01:00:00Z",
    );
    assert_window(
        Calendar::Hour,
        "Europe/Berlin",
        "2026-10-25T01:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T02:00:00Z",
    );
    // Lord Howe moves by half an hour: back from 02:00 to 01:30 at 15:00 UTC on 2026-04-04.
    assert_window(
        Calendar::Hour,
        "Australia/Lord_Howe",
        "2026-04-04T14:59:00Z",
        "2026-04-04T14:00:00Z",
        "2026-04-04T15:00:00Z",
    );
    assert_window(
        Calendar::Hour,
        "Australia/Lord_Howe",
        "2026-04-04T15:10:00Z",
        "2026-04-04T15:00:00Z",
        "2026-04-04T15:30:00Z",
    );
}

#[test]
fn hours_follow_zones_off_the_hour() {
    assert_window(
        Calendar::Hour,
        "Asia/Kolkata",
        "2026-01-01T00:15:00Z",
        "2025-12-31T23:30:00Z",
        "2026-01-01T00:30:00Z",
    );
}

#[test]
fn without_a_calendar_there_is_one_window() {
    assert_eq!(window_at(None, Tz::UTC, instant("2026-01-01T00:00:00Z")), Some(Window::WHOLE));
}

#[test]
fn instants_beyond_the_calendar_have_no_window() {
    assert_eq!(window_at(Some(Calendar::Day), Tz::UTC, Instant::AFTER_ALL), None);
    assert_eq!(window_at(Some(Calendar::Year), Tz::UTC, Instant(i64::MAX - 1)), None);
}

proptest! {
    /// Windows are a partition: every instant is in its own window, and the window's two ends agree about it.
    #[test]
    fn windows_partition_time(
        at_s in 0_i64..4_102_444_800,
        zone_index in 0..chrono_tz::TZ_VARIANTS.len(),
        unit in 0..7_usize,
    ) {
        let unit = [Calendar::Minute, Calendar::Hour, Calendar::Day, Calendar::Week, Calendar::Month, Calendar::Quarter,
            Calendar::Year][unit];
        let zone = chrono_tz::TZ_VARIANTS[zone_index];
        let at = Instant(at_s * 1_000_000 + 7);
        let window = window_at(Some(unit), zone, at).unwrap();
        prop_assert!(window.start <= at && at < window.end);
        prop_assert_eq!(window_at(Some(unit), zone, window.start).unwrap(), window);
        prop_assert_eq!(window_at(Some(unit), zone, Instant(window.end.0 - 1)).unwrap(), window);
        prop_assert_eq!(window_at(Some(unit), zone, window.end).unwrap().start, window.end);
    }
}
