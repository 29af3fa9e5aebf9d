use super::*;

#[test]
fn hours_are_counted_from_the_anchor_both_ways() {
    let schedule = schedule("5 hours", "UTC", Some("2026-11-21T07:30:00Z"));
    assert_boundaries(
        schedule,
        &[
            "2026-11-20T21:30:00Z",
            "2026-11-21T02:30:00Z",
            "2026-11-21T07:30:00Z",
            "2026-11-21T12:30:00Z",
            "2026-11-21T17:30:00Z",
        ],
    );
}

#[test]
fn hours_without_an_anchor_are_counted_from_1970_in_the_zone() {
    // 495,552 hours after 1970: 495,550 is the last multiple of five.
    assert_windows(
        schedule("5 hours", "UTC", None),
        &[("2026-07-14T00:00:00Z", "2026-07-13T22:00:00Z", "2026-07-14T03:00:00Z")],
    );
    // Berlin's 1970 began an hour before UTC's.
    assert_windows(
        schedule("5 hours", "Europe/Berlin", None),
        &[("2026-07-14T00:00:00Z", "2026-07-13T21:00:00Z", "2026-07-14T02:00:00Z")],
    );
}

#[test]
fn minutes_keep_their_length_over_clock_changes() {
    let schedule = schedule("90 minutes", "Europe/Berlin", Some("2026-10-24T22:00:00Z"));
    assert_boundaries(
        schedule,
        &["2026-10-24T22:00:00Z", "2026-10-24T23:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:30:00Z"],
    );
}

#[test]
fn anchors_have_microseconds() {
    let schedule = schedule("1 minute", "UTC", Some("2026-01-01T00:00:30.000001Z"));
    assert_boundaries(
        schedule,
        &["2025-12-31T23:59:30.000001Z", "2026-01-01T00:00:30.000001Z", "2026-01-01T00:01:30.000001Z"],
    );
    let days = super::schedule("1 day", "UTC", Some("2026-01-01T09:30:00.25Z"));
    assert_boundaries(days, &["2025-12-31T09:30:00.250Z", "2026-01-01T09:30:00.250Z", "2026-01-02T09:30:00.250Z"]);
}

#[test]
fn days_keep_the_time_of_day_over_clock_changes() {
    // Nine in the morning, in winter and in summer.
    let schedule = schedule("10 days", "Europe/Berlin", Some("2026-03-20T08:00:00Z"));
    assert_boundaries(
        schedule,
        &["2026-03-10T08:00:00Z", "2026-03-20T08:00:00Z", "2026-03-30T07:00:00Z", "2026-04-09T07:00:00Z"],
    );
    assert_boundaries(schedule, &["2026-10-16T07:00:00Z", "2026-10-26T08:00:00Z", "2026-11-05T08:00:00Z"]);
}

#[test]
fn a_time_of_day_that_is_skipped_begins_when_the_clocks_land() {
    // Half past two of 2026-03-29 is skipped: the clocks land at 03:00, which is 01:00 UTC.
    let schedule = schedule("1 day", "Europe/Berlin", Some("2026-03-27T01:30:00Z"));
    assert_boundaries(
        schedule,
        &["2026-03-27T01:30:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    );
}

#[test]
fn a_time_of_day_that_comes_twice_counts_at_the_first() {
    // Half past two of 2026-10-25 is 00:30 and 01:30 UTC.
    for anchor in ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
        let schedule = schedule("1 day", "Europe/Berlin", Some(anchor));
        assert_boundaries(schedule, &["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }
}

#[test]
fn midnights_that_are_skipped_or_come_twice() {
    assert_boundaries(
        schedule("2 days", "America/Santiago", Some("2026-09-04T04:00:00Z")),
        &["2026-09-04T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-08T03:00:00Z"],
    );
    assert_boundaries(
        schedule("2 days", "America/St_Johns", Some("2010-11-05T02:30:00Z")),
        &["2010-11-05T02:30:00Z", "2010-11-07T02:30:00Z", "2010-11-09T03:30:00Z"],
    );
    // Samoa had no 2011-12-30: its noon is when the clocks land, at the beginning of the 31st.
    assert_boundaries(
        schedule("1 day", "Pacific/Apia", Some("2011-12-28T22:00:00Z")),
        &["2011-12-28T22:00:00Z", "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
    );
    // Its midnight and that of the 31st are one instant; the day that had no time has no window.
    assert_boundaries(
        schedule("1 day", "Pacific/Apia", None),
        &["2011-12-28T10:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"],
    );
}

#[test]
fn weeks_step_from_the_anchor_or_from_the_first_week_start() {
    assert_boundaries(
        schedule("2 weeks", "UTC", Some("2026-11-18T06:00:00Z")),
        &["2026-11-04T06:00:00Z", "2026-11-18T06:00:00Z", "2026-12-02T06:00:00Z"],
    );
    // 1970-01-05 was the first Monday; 2026-11-16 is 2,967 weeks later, an odd number.
    assert_boundaries(
        schedule("2 weeks", "UTC", None),
        &["2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z", "2026-12-07T00:00:00Z"],
    );
    // 1970-01-01 was a Thursday; 2026-11-19 is 2,968 weeks later.
    let thursdays = Schedule::parse(Some("2 weeks"), "UTC", "thursday", None).expect("schedule");
    assert_boundaries(thursdays, &["2026-11-19T00:00:00Z", "2026-12-03T00:00:00Z"]);
}

#[test]
fn months_from_the_31st_are_counted_from_the_anchor() {
    assert_boundaries(
        schedule("1 month", "UTC", Some("2026-01-31T10:00:00Z")),
        &[
            "2025-11-30T10:00:00Z",
            "2025-12-31T10:00:00Z",
            "2026-01-31T10:00:00Z",
            "2026-02-28T10:00:00Z",
            "2026-03-31T10:00:00Z",
            "2026-04-30T10:00:00Z",
            "2026-05-31T10:00:00Z",
        ],
    );
    assert_boundaries(
        schedule("1 month", "UTC", Some("2026-01-31T10:00:00Z")),
        &["2028-01-31T10:00:00Z", "2028-02-29T10:00:00Z", "2028-03-31T10:00:00Z"],
    );
    assert_boundaries(
        schedule("3 months", "UTC", Some("2026-08-31T00:00:00Z")),
        &[
            "2026-02-28T00:00:00Z",
            "2026-05-31T00:00:00Z",
            "2026-08-31T00:00:00Z",
            "2026-11-30T00:00:00Z",
            "2027-02-28T00:00:00Z",
        ],
    );
}

#[test]
fn the_local_day_of_the_anchor_counts() {
    // In Tokyo it is the 31st already.
    assert_boundaries(
        schedule("1 month", "Asia/Tokyo", Some("2026-01-30T15:00:00Z")),
        &["2026-01-30T15:00:00Z", "2026-02-27T15:00:00Z", "2026-03-30T15:00:00Z"],
    );
}

#[test]
fn years_from_a_leap_day() {
    assert_boundaries(
        schedule("1 year", "UTC", Some("2024-02-29T00:00:00Z")),
        &[
            "2020-02-29T00:00:00Z",
            "2021-02-28T00:00:00Z",
            "2022-02-28T00:00:00Z",
            "2023-02-28T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2025-02-28T00:00:00Z",
            "2026-02-28T00:00:00Z",
        ],
    );
    // 2100 is no leap year.
    assert_boundaries(
        schedule("4 years", "UTC", Some("2024-02-29T00:00:00Z")),
        &["2096-02-29T00:00:00Z", "2100-02-28T00:00:00Z", "2104-02-29T00:00:00Z"],
    );
    assert_boundaries(
        schedule("1 month", "UTC", Some("2024-02-29T00:00:00Z")),
        &["2025-01-29T00:00:00Z", "2025-02-28T00:00:00Z", "2025-03-29T00:00:00Z"],
    );
}

#[test]
fn the_longest_interval() {
    assert_boundaries(
        schedule("10 years", "UTC", None),
        &["1960-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z"],
    );
    assert_boundaries(
        schedule("3652 days", "UTC", None),
        &["1960-01-02T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z"],
    );
}

#[test]
fn a_far_anchor_is_reached_by_arithmetic() {
    let anchor = Some("-200000-01-31T00:00:00Z");
    for every in ["1 minute", "1 hour", "1 day", "1 month"] {
        let schedule = schedule(every, "Europe/Berlin", anchor);
        for _ in 0..1000 {
            assert!(schedule.window_at(instant("2026-01-01T00:00:00Z")).is_some());
        }
    }
}
