//! What is noticed when the spend of a window grows: thresholds in per cent of its limit.

/// The per cents at which somebody is told, and the one at which the account is frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    pub thresholds_percent: Vec<i32>,
    pub freeze_at_percent: Option<i32>,
}

/// Something that a growth of the spend has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    Threshold(i32),
    Freeze(i32),
}

impl Watch {
    pub fn is_empty(&self) -> bool {
        self.thresholds_percent.is_empty() && self.freeze_at_percent.is_none()
    }

    /// What is reached when the spend of a window with this limit goes from `before` to `after`, lowest first.
    pub fn crossings(&self, limit_units: i64, before: i64, after: i64) -> Vec<Crossing> {
        let reached = |percent: &i32| {
            // Of a limit of zero the first unit is all of it.
            let mark = (i128::from(limit_units) * i128::from(*percent)).max(1);
            i128::from(before) * 100 < mark && i128::from(after) * 100 >= mark
        };
        let mut thresholds: Vec<i32> = self.thresholds_percent.iter().copied().filter(reached).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let thresholds = thresholds.into_iter().map(Crossing::Threshold);
        thresholds.chain(self.freeze_at_percent.filter(reached).map(Crossing::Freeze)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn watch(thresholds_percent: &[i32], freeze_at_percent: Option<i32>) -> Watch {
        Watch { thresholds_percent: thresholds_percent.to_vec(), freeze_at_percent }
    }

    #[test]
    fn a_mark_is_reached_by_the_unit_that_makes_it_full() {
        let watch = watch(&[100, 50], Some(120));
        assert_eq!(watch.crossings(200, 0, 99), []);
        assert_eq!(watch.crossings(200, 99, 100), [Crossing::Threshold(50)]);
        assert_eq!(watch.crossings(200, 100, 199), []);
        assert_eq!(
            watch.crossings(200, 0, 240),
            [Crossing::Threshold(50), Crossing::Threshold(100), Crossing::Freeze(120)]
        );
        assert_eq!(watch.crossings(200, 240, 100), []);
    }

    #[test]
    fn a_share_that_is_no_whole_unit_is_reached_by_the_next_one() {
        assert_eq!(watch(&[50], None).crossings(3, 0, 1), []);
        assert_eq!(watch(&[50], None).crossings(3, 1, 2), [Crossing::Threshold(50)]);
    }

    #[test]
    fn extremes() {
        assert_eq!(watch(&[80], None).crossings(0, 0, 1), [Crossing::Threshold(80)]);
        assert_eq!(watch(&[80], None).crossings(0, 0, 0), []);
        assert_eq!(watch(&[100], None).crossings(i64::MAX, i64::MAX - 1, i64::MAX), [Crossing::Threshold(100)]);
    }

    proptest! {
        /// However the spend grows, each mark is reached exactly once on the way.
        #[test]
        fn each_mark_once(limit in 0_i64..1000, steps in prop::collection::vec(0_i64..50, 0..60)) {
            let watch = watch(&[10, 50, 80, 100, 150], None);
            let (mut spent, mut seen) = (0, Vec::new());
            for step in steps {
                seen.extend(watch.crossings(limit, spent, spent + step));
                spent += step;
            }
            prop_assert_eq!(seen, watch.crossings(limit, 0, spent));
        }
    }
}
