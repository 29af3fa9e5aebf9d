use super::*;

fn error(every: Option<&str>, zone: &str, week_start: &str, anchor: Option<Instant>) -> String {
    Schedule::parse(every, zone, week_start, anchor).expect_err("must be refused").to_string()
}

#[test]
fn singular_and_plural_are_the_same() {
    for unit in ["minute", "hour", "day", "week", "month", "quarter", "year"] {
        let plural = schedule(&format!("2 {unit}s"), "UTC", None);
        assert_eq!(plural, schedule(&format!("2 {unit}"), "UTC", None));
        assert_ne!(plural, schedule(&format!("1 {unit}"), "UTC", None));
    }
    assert_eq!(schedule("05 hours", "UTC", None), schedule("5 hours", "UTC", None));
}

#[test]
fn one_of_a_unit_without_an_anchor_is_the_calendar() {
    for unit in ["day", "week", "month", "quarter", "year"] {
        assert_eq!(schedule(&format!("1 {unit}"), "Europe/Berlin", None), schedule(unit, "Europe/Berlin", None));
    }
    assert_eq!(schedule("3 months", "UTC", None), schedule("quarter", "UTC", None));
    assert_eq!(schedule("7 days", "UTC", Some("1970-01-05T00:00:00Z")), schedule("week", "UTC", None));
}

#[test]
fn what_is_no_window() {
    for text in [
        "",
        " ",
        "fortnight",
        "days",
        "Day",
        "day ",
        " day",
        "5",
        "5hours",
        "hours 5",
        "5 fortnights",
        "5  hours",
        "5 hourss",
        "5 Hours",
        "05:00:00",
        "P1D",
        "\u{0}",
        "5 hours ",
        "1 day and",
        "5 s",
        " hours",
    ] {
        let expected = format!(
            "'{text}' is neither minute, hour, day, week, month, quarter or year nor a count of one of them such as '5 hours'"
        );
        assert_eq!(error(Some(text), "UTC", "monday", None), expected);
    }
}

#[test]
fn what_is_no_count() {
    for count in ["0", "00", "-1", "+1", "1.5", "1,5", "1e3", "NaN", "infinity", "five", "٣", "0x10"] {
        let expected = format!("'{count}' is no count of units; a count is a whole number, 1 or more");
        assert_eq!(error(Some(&format!("{count} hours")), "UTC", "monday", None), expected);
    }
}

#[test]
fn an_interval_has_one_unit() {
    for text in ["1 day 12 hours", "1 year 2 months 3 days", "0 days -1 hours"] {
        let expected = format!(
            "'{text}' is more than one count and one unit; write for example '36 hours' instead of '1 day 12 hours'"
        );
        assert_eq!(error(Some(text), "UTC", "monday", None), expected);
    }
}

#[test]
fn the_longest_interval_is_ten_years() {
    for (unit, count_max) in [
        ("minutes", 5_258_880),
        ("hours", 87_648),
        ("days", 3652),
        ("weeks", 521),
        ("months", 120),
        ("quarters", 40),
        ("years", 10_u64),
    ] {
        schedule(&format!("{count_max} {unit}"), "UTC", None);
        for count in [count_max + 1, u64::from(u32::MAX), u64::from(u32::MAX) + 2, u64::MAX] {
            let text = format!("{count} {unit}");
            assert_eq!(error(Some(&text), "UTC", "monday", None), format!("'{text}' is longer than ten years"));
        }
        assert!(error(Some(&format!("{} {unit}", "9".repeat(10_000))), "UTC", "monday", None).len() < 200);
    }
}

#[test]
fn unknown_zones_and_days() {
    assert_eq!(
        error(None, "Europe/Berln", "monday", None),
        "no time zone has the name 'Europe/Berln'; the nearest is 'Europe/Berlin'"
    );
    for zone in ["", "+02:00", "Mars/Olympus_Mons_Base"] {
        assert_eq!(error(Some("day"), zone, "monday", None), format!("no time zone has the name '{zone}'"));
    }
    for day in ["", "Monday", "mon", "1", "caturday"] {
        assert_eq!(
            error(Some("hour"), "UTC", day, None),
            format!(
                "'{day}' is not a day of the week: monday, tuesday, wednesday, thursday, friday, saturday or sunday"
            )
        );
    }
}

#[test]
fn anchors_that_cannot_be() {
    let anchor = Some(instant("2026-01-01T00:00:00Z"));
    assert_eq!(error(None, "UTC", "monday", anchor), "one window without end takes no anchor");
    assert_eq!(error(Some("day"), "UTC", "monday", anchor), "'day' takes no anchor; an interval such as '1 day' does");
    for beyond in [Instant::BEFORE_ALL, Instant::AFTER_ALL, Instant(i64::MIN + 1), Instant(i64::MAX - 1)] {
        for every in ["5 hours", "5 days", "5 months"] {
            assert_eq!(
                error(Some(every), "UTC", "monday", Some(beyond)),
                "the anchor is not an instant that a calendar can express"
            );
        }
    }
}
