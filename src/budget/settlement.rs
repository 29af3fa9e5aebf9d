//! How what a call used goes against what was held for it.

/// A budget among the slots of a reservation: a slot is what is held of one budget in one window, or of one grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which slot is the budget's own.
    pub own: usize,
    /// Which slots are grants that bear a part of it, in burn order.
    pub grants: Vec<usize>,
}

impl Place {
    fn granted(&self, units: &[i64]) -> i64 {
        self.grants.iter().filter_map(|grant| units.get(*grant)).fold(0, |sum, units| sum.saturating_add(*units))
    }

    /// Puts what was used of the budget into `spent`: the window's own part of the hold first, then the grants in their
    /// order; what goes beyond the hold is the window's own.
    pub fn spend(&self, used_units: i64, held: &[i64], spent: &mut [i64]) {
        let held_units = held.get(self.own).copied().unwrap_or(0);
        let own_units = held_units.saturating_sub(self.granted(held));
        let mut beyond = used_units.min(held_units).saturating_sub(own_units).max(0);
        for grant in &self.grants {
            let part = beyond.min(held.get(*grant).copied().unwrap_or(0));
            beyond -= part;
            if let Some(slot) = spent.get_mut(*grant) {
                *slot = part;
            }
        }
        if let Some(slot) = spent.get_mut(self.own) {
            *slot = used_units;
        }
    }

    /// By how much the part that grants bear changes when the hold goes (it may be gone already) and the spend comes.
    pub fn granted_change(&self, held: &[i64], spent: &[i64]) -> i64 {
        self.granted(spent).saturating_sub(self.granted(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(used_units: i64, held: &[i64], grants: &[usize]) -> (Vec<i64>, i64) {
        let place = Place { own: 0, grants: grants.to_vec() };
        let mut spent = vec![0; held.len()];
        place.spend(used_units, held, &mut spent);
        let change = place.granted_change(held, &spent);
        (spent, change)
    }

    #[test]
    fn own_part_first_then_grants_in_order() {
        // 100 held: 60 of the window's own, 30 and 10 of two grants.
        let held = [100, 10, 30];
        assert_eq!(spend(50, &held, &[2, 1]), (vec![50, 0, 0], -40));
        assert_eq!(spend(75, &held, &[2, 1]), (vec![75, 0, 15], -25));
        assert_eq!(spend(95, &held, &[2, 1]), (vec![95, 5, 30], -5));
        assert_eq!(spend(100, &held, &[2, 1]), (vec![100, 10, 30], 0));
        assert_eq!(spend(130, &held, &[2, 1]), (vec![130, 10, 30], 0));
    }

    #[test]
    fn without_grants_all_is_the_windows_own() {
        assert_eq!(spend(7, &[5], &[]), (vec![7], 0));
        assert_eq!(spend(i64::MAX, &[0], &[]), (vec![i64::MAX], 0));
    }
}
