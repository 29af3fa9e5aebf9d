use super::*;

mod calendar;
mod interval;
mod parse;
mod partition;

fn instant(text: &str) -> Instant {
    text.parse::<chrono::DateTime<chrono::Utc>>().expect("test instant").into()
}

fn schedule(every: &str, zone: &str, anchor: Option<&str>) -> Schedule {
    Schedule::parse(Some(every), zone, "monday", anchor.map(instant)).expect("test schedule")
}

/// The window of `schedule` at each instant is from `start` to `end`.
fn assert_windows(schedule: Schedule, windows: &[(&str, &str, &str)]) {
    for (at, start, end) in windows {
        let window = schedule.window_at(instant(at)).expect("window");
        assert_eq!((window.start.to_string().as_str(), window.end.to_string().as_str()), (*start, *end), "{at}");
    }
}

/// The windows of `schedule` begin at these instants, one after the other.
fn assert_boundaries(schedule: Schedule, boundaries: &[&str]) {
    for pair in boundaries.windows(2) {
        let window = Window { start: instant(pair[0]), end: instant(pair[1]) };
        for at in [window.start, Instant(i64::midpoint(window.start.0, window.end.0)), Instant(window.end.0 - 1)] {
            assert_eq!(schedule.window_at(at), Some(window), "{at}");
        }
        assert_eq!(schedule.previous(schedule.window_at(window.end).expect("window")), Some(window));
    }
}
