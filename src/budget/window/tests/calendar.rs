use super::*;

fn assert_window(every: &str, zone: &str, at: &str, start: &str, end: &str) {
    assert_windows(schedule(every, zone, None), &[(at, start, end)]);
}

#[test]
fn calendar_units_in_utc() {
    let at = "2026-11-21T23:41:05.25Z";
    assert_window("minute", "UTC", at, "2026-11-21T23:41:00Z", "2026-11-21T23:42:00Z");
    assert_window("hour", "UTC", at, "2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z");
    assert_window("day", "UTC", at, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z");
    assert_window("week", "UTC", at, "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z");
    assert_window("month", "UTC", at, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_window("quarter", "UTC", at, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_window("year", "UTC", at, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
}

#[test]
fn boundaries_belong_to_the_window_they_begin() {
    assert_window("month", "UTC", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_window("month", "UTC", "2026-11-30T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_window("week", "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z");
}

#[test]
fn leap_days_and_year_ends() {
    assert_window("month", "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
    assert_window("month", "UTC", "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z");
    assert_window("week", "UTC", "2027-01-01T12:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z");
}

#[test]
fn days_over_daylight_saving_changes() {
    // Berlin: clocks go forward on 2026-03-29 and back on 2026-10-25.
    assert_window("day", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    assert_window("day", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    assert_window("month", "America/New_York", "2026-03-15T00:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z");
}

#[test]
fn a_midnight_that_does_not_exist_begins_when_the_clocks_land() {
    // Santiago skips from 24:00 of 2026-09-05 to 01:00 of 2026-09-06, which is 04:00 UTC.
    assert_window("day", "America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z");
    // Samoa had no 2011-12-30 at all.
    assert_window("day", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z");
    assert_window("day", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z");
}

#[test]
fn a_midnight_that_comes_twice_begins_the_day_once() {
    // St. John's went back from 00:01 to 23:01 on 2010-11-07: the 7th began at 02:30 UTC and was not left again.
    let day = ("2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z");
    assert_window("day", "America/St_Johns", "2010-11-07T02:30:30Z", day.0, day.1);
    assert_window("day", "America/St_Johns", "2010-11-07T02:45:00Z", day.0, day.1);
    assert_window("day", "America/St_Johns", "2010-11-07T12:00:00Z", day.0, day.1);
}

#[test]
fn a_repeated_hour_is_two_windows() {
    assert_window("hour", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z");
    assert_window("hour", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z");
    // Lord Howe moves by half an hour: back from 02:00 to 01:30 at 15:00 UTC on 2026-04-04.
    assert_window(
        "hour",
        "Australia/Lord_Howe",
        "2026-04-04T14:59:00Z",
        "2026-04-04T14:00:00Z",
        "2026-04-04T15:00:00Z",
    );
    assert_window(
        "hour",
        "Australia/Lord_Howe",
        "2026-04-04T15:10:00Z",
        "2026-04-04T15:00:00Z",
        "2026-04-04T15:30:00Z",
    );
}

#[test]
fn hours_follow_zones_off_the_hour() {
    assert_window("hour", "Asia/Kolkata", "2026-01-01T00:15:00Z", "2025-12-31T23:30:00Z", "2026-01-01T00:30:00Z");
}

#[test]
fn weeks_begin_on_the_day_that_is_asked_for() {
    // 2026-11-21 is a Saturday.
    let starts = [
        ("monday", "2026-11-16T00:00:00Z"),
        ("tuesday", "2026-11-17T00:00:00Z"),
        ("wednesday", "2026-11-18T00:00:00Z"),
        ("thursday", "2026-11-19T00:00:00Z"),
        ("friday", "2026-11-20T00:00:00Z"),
        ("saturday", "2026-11-21T00:00:00Z"),
        ("sunday", "2026-11-15T00:00:00Z"),
    ];
    for (week_start, start) in starts {
        for every in ["week", "1 week"] {
            let schedule = Schedule::parse(Some(every), "UTC", week_start, None).expect("schedule");
            let window = schedule.window_at(instant("2026-11-21T12:00:00Z")).expect("window");
            assert_eq!(window.start.to_string(), start, "{every} {week_start}");
            assert_eq!(window.end.0 - window.start.0, 7 * 86_400_000_000, "{every} {week_start}");
        }
    }
}

#[test]
fn windows_before_1970() {
    assert_window("week", "UTC", "1969-12-31T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z");
    assert_window("quarter", "UTC", "1900-02-28T23:59:59Z", "1900-01-01T00:00:00Z", "1900-04-01T00:00:00Z");
    assert_window("year", "UTC", "0000-06-01T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
}

#[test]
fn without_a_schedule_there_is_one_window() {
    let schedule = Schedule::parse(None, "UTC", "monday", None).expect("schedule");
    assert_eq!(schedule.window_at(instant("2026-01-01T00:00:00Z")), Some(Window::WHOLE));
    assert_eq!(schedule.window_at(Instant::AFTER_ALL), Some(Window::WHOLE));
    assert_eq!(schedule.previous(Window::WHOLE), None);
}

#[test]
fn the_window_before() {
    assert_boundaries(
        schedule("month", "Europe/Berlin", None),
        &["2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"],
    );
    // Of a window that another schedule made: what was open just before.
    let month = schedule("month", "UTC", None);
    let day = schedule("day", "UTC", None).window_at(instant("2026-03-15T12:00:00Z")).expect("window");
    assert_eq!(month.previous(day), month.window_at(instant("2026-03-14T12:00:00Z")));
    assert_eq!(month.previous(Window::WHOLE), None);
}

#[test]
fn instants_beyond_the_calendar_have_no_window() {
    for every in ["minute", "hour", "day", "week", "month", "quarter", "year", "5 hours", "10 days", "3 months"] {
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            for at in [Instant::AFTER_ALL, Instant::BEFORE_ALL, Instant(i64::MAX - 1), Instant(i64::MIN + 1)] {
                assert_eq!(schedule(every, zone, None).window_at(at), None, "{every} {zone} {at:?}");
            }
        }
    }
}

#[test]
fn nothing_fails_at_the_ends_of_the_calendar() {
    let (first, last) = (chrono::DateTime::<chrono::Utc>::MIN_UTC, chrono::DateTime::<chrono::Utc>::MAX_UTC);
    for every in ["minute", "hour", "day", "week", "month", "year", "5 hours", "10 days", "3 months", "10 years"] {
        for zone in chrono_tz::TZ_VARIANTS {
            let schedule = schedule(every, zone.name(), None);
            for hours in [0, 1, 13, 30, 90_000] {
                for at in [first + chrono::Duration::hours(hours), last - chrono::Duration::hours(hours)] {
                    if let Some(window) = schedule.window_at(at.into()) {
                        assert!(window.start <= at.into() && Instant::from(at) < window.end, "{every} {zone} {at}");
                    }
                }
            }
        }
    }
}
