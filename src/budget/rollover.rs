//! What a window leaves to the next one.

/// How much of what is left a budget carries over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollover {
    /// The most that a window gets from the one before; `i64::MAX` for all of it.
    pub cap_units: i64,
}

impl Rollover {
    /// What the window `windows_after` windows later gets, if nothing was used in those between: each adds what it has of
    /// its own, and each boundary caps. `left_units` is what the last used window left; an overrun leaves nothing.
    pub fn carry_units(self, left_units: i64, limit_units: i64, windows_after: i64) -> i64 {
        let cap = i128::from(self.cap_units);
        let first = i128::from(left_units.max(0)).min(cap);
        let unused = i128::from(limit_units) * i128::from(windows_after.max(1) - 1);
        i64::try_from((first + unused).min(cap)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_window_before() {
        assert_eq!(Rollover { cap_units: i64::MAX }.carry_units(30, 100, 1), 30);
        assert_eq!(Rollover { cap_units: 20 }.carry_units(30, 100, 1), 20);
        assert_eq!(Rollover { cap_units: 20 }.carry_units(-5, 100, 1), 0);
    }

    #[test]
    fn windows_that_nobody_touched_leave_all_they_had() {
        assert_eq!(Rollover { cap_units: i64::MAX }.carry_units(30, 100, 3), 230);
        assert_eq!(Rollover { cap_units: 150 }.carry_units(30, 100, 3), 150);
        assert_eq!(Rollover { cap_units: i64::MAX }.carry_units(i64::MAX, i64::MAX, i64::MAX), i64::MAX);
    }

    /// The short cut is what stepping from window to window gives.
    #[test]
    fn as_if_stepped() {
        for cap_units in [0, 50, 120, i64::MAX] {
            let rollover = Rollover { cap_units };
            let mut stepped = rollover.carry_units(70, 40, 1);
            for windows in 2..20 {
                stepped = rollover.carry_units(stepped + 40, 40, 1);
                assert_eq!(rollover.carry_units(70, 40, windows), stepped);
            }
        }
    }
}
