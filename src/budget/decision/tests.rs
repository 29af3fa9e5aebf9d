use proptest::prelude::*;

use super::*;

fn claim(budget_id: i64, meter: &str, limit_units: i64, hard: bool, units: i64) -> Claim {
    let budget = Budget { budget_id, meter: meter.into(), limit_units, hard, ..Budget::default() };
    Claim { budget: Rc::new(budget), window: Window::WHOLE, units, opening_carry_units: 0 }
}

fn with_extras(limit_units: i64, burst_units: i64, grants: &[i64], units: i64) -> Claim {
    let grants = grants.iter().enumerate().map(|(i, units)| Grant { grant_id: i as i64, units: *units }).collect();
    let budget = Budget { limit_units, hard: true, burst_units, grants, ..Budget::default() };
    Claim { budget: Rc::new(budget), window: Window::WHOLE, units, opening_carry_units: 0 }
}

fn standing(spent_units: i64, held_units: i64) -> Standing {
    Standing { balance: Balance { spent_units, held_units, ..Balance::default() }, grants_left: Vec::new() }
}

fn fresh(claim: &Claim) -> Standing {
    let grants_left = claim.budget.grants.iter().map(|grant| grant.units).collect();
    Standing { balance: Balance::default(), grants_left }
}

#[test]
fn the_last_unit_fits_and_one_more_does_not() {
    assert!(claim(1, "tokens", 100, true, 40).fits(&standing(30, 30)));
    assert!(!claim(1, "tokens", 100, true, 41).fits(&standing(30, 30)));
}

#[test]
fn soft_budgets_and_empty_claims_always_fit() {
    assert!(claim(1, "tokens", 0, false, 1000).fits(&standing(5, 5)));
    assert!(claim(1, "tokens", 0, true, 0).fits(&standing(5, 5)));
}

#[test]
fn extremes_do_not_wrap() {
    let claim = claim(1, "tokens", i64::MAX, true, i64::MAX);
    assert!(claim.fits(&standing(0, 0)));
    assert!(!claim.fits(&standing(1, 0)));
    assert!(!claim.fits(&standing(i64::MAX, i64::MAX)));
    let none = Budget::default();
    assert_eq!(standing(i64::MAX, i64::MAX).remaining_units(&none), i64::MIN);
}

#[test]
fn what_was_carried_over_counts_as_the_windows_own() {
    let mut carried = standing(100, 0);
    carried.balance.carried_units = 30;
    assert!(claim(1, "tokens", 100, true, 30).fits(&carried));
    assert!(!claim(1, "tokens", 100, true, 31).fits(&carried));
}

#[test]
fn own_amount_burns_first_then_grants_in_order_then_burst() {
    let claim = with_extras(100, 10, &[20, 5], 115);
    let mut standing = fresh(&claim);
    assert!(claim.fits(&standing));
    assert_eq!(claim.allot(&mut standing), Allotment { granted: vec![15, 0], is_burst: false });
    assert_eq!((standing.remaining_units(&claim.budget), standing.balance.granted_units), (10, 15));

    let more = Claim { units: 18, ..claim.clone() };
    assert!(more.fits(&standing));
    assert_eq!(more.allot(&mut standing), Allotment { granted: vec![5, 5], is_burst: true });
    assert_eq!(standing.remaining_units(&claim.budget), -8);
    assert!(Claim { units: 2, ..claim.clone() }.fits(&standing));
    assert!(!Claim { units: 3, ..claim }.fits(&standing));
}

#[test]
fn a_grant_covers_an_overrun() {
    let claim = with_extras(100, 0, &[50], 41);
    let mut overrun = fresh(&claim);
    overrun.balance.spent_units = 110;
    assert_eq!(overrun.remaining_units(&claim.budget), 40);
    assert!(!claim.fits(&overrun));
    assert!(Claim { units: 40, ..claim }.fits(&overrun));
}

#[test]
fn what_remains_is_told_at_the_tightest_hard_budget() {
    let claims = [claim(1, "tokens", 100, true, 0), claim(2, "tokens", 50, true, 0), claim(3, "tokens", 1, false, 0)];
    let standing = standing(0, 10);
    let amounts = remaining(claims.iter().map(|claim| (&*claim.budget, &standing)));
    assert_eq!(amounts, meter::Amounts::from([("tokens".to_string(), 40)]));
}

#[test]
fn tightness_is_an_order_also_for_limits_of_zero() {
    let budgets = (0..60).map(|id| (claim(id, "tokens", (id % 4) * 10, true, 0), standing((id * 7) % 11, 0)));
    let mut budgets: Vec<(Claim, Standing)> = budgets.collect();
    sort_by_tightness(&mut budgets);
    let shares = budgets.iter().map(|(claim, standing)| {
        standing.remaining_units(&claim.budget) as f64 / claim.budget.limit_units.max(1) as f64
    });
    assert!(shares.is_sorted());
}

proptest! {
    /// However calls come, a hard budget is never exceeded, grants are never overdrawn, and a refused call lacks room.
    #[test]
    fn never_over_and_never_refused_in_vain(
        limit in 0_i64..100, burst in 0_i64..20, grants in prop::collection::vec(0_i64..30, 0..4),
        calls in prop::collection::vec(0_i64..40, 1..30),
    ) {
        let whole = limit + burst + grants.iter().sum::<i64>();
        let mut standing = fresh(&with_extras(limit, burst, &grants, 0));
        let mut used = 0;
        for units in calls {
            let claim = with_extras(limit, burst, &grants, units);
            let fits = claim.fits(&standing);
            prop_assert_eq!(fits, units == 0 || used + units <= whole);
            if fits {
                claim.allot(&mut standing);
                used += units;
            }
            prop_assert_eq!(standing.balance.held_units, used);
            prop_assert!(standing.grants_left.iter().zip(&grants).all(|(left, grant)| 0 <= *left && left <= grant));
            // Grants bear nothing while the window has something of its own.
            let drawn: i64 = grants.iter().sum::<i64>() - standing.grants_left.iter().sum::<i64>();
            prop_assert_eq!(drawn, (used - limit).clamp(0, grants.iter().sum()));
        }
    }
}
