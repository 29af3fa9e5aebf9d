use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;

use super::*;

const UNITS: [&str; 7] = ["minute", "hour", "day", "week", "month", "quarter", "year"];
const WEEK_DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Two centuries around the rules that zones have had and have.
fn any_instant() -> impl Strategy<Value = Instant> {
    (-2_208_988_800_000_000_i64..4_133_980_800_000_000).prop_map(Instant)
}

fn any_schedule() -> impl Strategy<Value = (String, Option<Instant>)> {
    prop_oneof![
        (0..UNITS.len()).prop_map(|unit| (UNITS[unit].to_string(), None)),
        (0..UNITS.len(), 1..=10_u32, proptest::option::of(any_instant()))
            .prop_map(|(unit, count, anchor)| (format!("{count} {}s", UNITS[unit]), anchor)),
        (1..=3652_u32, proptest::option::of(any_instant())).prop_map(|(days, anchor)| (format!("{days} days"), anchor)),
        (1..=5_258_880_u32, proptest::option::of(any_instant()))
            .prop_map(|(minutes, anchor)| (format!("{minutes} minutes"), anchor)),
    ]
}

/// Each of the windows around `at` holds both its ends, and ends where the next begins.
fn check_partition(schedule: Schedule, at: Instant) -> Result<(), TestCaseError> {
    let window = schedule.window_at(at).expect("window");
    prop_assert!(window.start <= at && at < window.end, "{schedule:?} {at}");
    prop_assert_eq!(schedule.window_at(window.start), Some(window));
    prop_assert_eq!(schedule.window_at(Instant(window.end.0 - 1)), Some(window));
    let next = schedule.window_at(window.end).expect("window");
    prop_assert_eq!(next.start, window.end);
    prop_assert_eq!(schedule.previous(next), Some(window));
    let before = schedule.previous(window).expect("window");
    prop_assert_eq!(before.end, window.start);
    Ok(())
}

/// Instants at which the clocks of a zone change, by looking at every second hour.
fn clock_changes(zone: chrono_tz::Tz) -> Vec<Instant> {
    const STEP_S: i64 = 7200;
    let utc = |at_s: i64| chrono::DateTime::from_timestamp(at_s, 0).expect("instant");
    let mut changes = Vec::new();
    let mut offset_s = zone::offset_seconds(zone, utc(0));
    for at_s in (0..2_000_000_000).step_by(STEP_S as usize) {
        let next_s = zone::offset_seconds(zone, utc(at_s + STEP_S));
        if next_s != offset_s {
            let change =
                zone::first_instant(utc(at_s), utc(at_s + STEP_S), |at| zone::offset_seconds(zone, at) == next_s);
            changes.push(change.into());
            offset_s = next_s;
        }
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn windows_of_every_schedule_partition_time_in_every_zone(
        at in any_instant(),
        zone in 0..TZ_VARIANTS.len(),
        week_start in 0..WEEK_DAYS.len(),
        (every, anchor) in any_schedule(),
    ) {
        let schedule = Schedule::parse(Some(&every), TZ_VARIANTS[zone].name(), WEEK_DAYS[week_start], anchor);
        check_partition(schedule.expect("schedule"), at)?;
    }

    /// Whatever the clocks do, and a whole number of them away from the anchor.
    #[test]
    fn intervals_of_hours_have_their_length(
        at in any_instant(),
        anchor in any_instant(),
        zone in 0..TZ_VARIANTS.len(),
        hours in 1..=87_648_i64,
    ) {
        let schedule = Schedule::parse(Some(&format!("{hours} hours")), TZ_VARIANTS[zone].name(), "monday", Some(anchor));
        let window = schedule.expect("schedule").window_at(at).expect("window");
        prop_assert_eq!(window.end.0 - window.start.0, hours * 3_600_000_000);
        prop_assert_eq!((window.start.0 - anchor.0) % (hours * 3_600_000_000), 0);
    }
}

/// Around clock changes, where partitions break: some of every zone, in windows that begin within the hours around them.
#[test]
fn windows_partition_time_around_clock_changes() {
    for (zone_index, zone) in TZ_VARIANTS.iter().enumerate().step_by(5) {
        for (index, change) in clock_changes(*zone).into_iter().enumerate().step_by(7) {
            for minutes in [-1441, -90, -30, -1, 0, 1, 30, 59, 61, 90, 1440] {
                let near = Instant(change.0 + minutes * 60_000_000);
                let anchor = Instant(near.0 - 86_400_000_000 * (1 + (index as i64 + zone_index as i64) % 400));
                for every in ["minute", "hour", "day", "month"] {
                    let schedule = Schedule::parse(Some(every), zone.name(), "monday", None).expect("schedule");
                    check_partition(schedule, near).expect("partition");
                }
                for every in ["7 minutes", "1 day", "3 days", "1 month"] {
                    let schedule = Schedule::parse(Some(every), zone.name(), "monday", Some(anchor)).expect("schedule");
                    check_partition(schedule, near).expect("partition");
                }
            }
        }
    }
}
