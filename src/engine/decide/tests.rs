use std::rc::Rc;

use super::*;
use crate::budget::decision::Budget;
use crate::budget::window::Window;

/// A soft budget takes whatever a balance can count.
fn claim(budget_id: i64, limit_units: i64, hard: bool, units: i64) -> Claim {
    let budget = Budget { budget_id, limit_units, hard, ..Budget::default() };
    Claim { budget: Rc::new(budget), window: Window::WHOLE, units, opening_carry_units: 0 }
}

fn with_grant(budget_id: i64, limit_units: i64, grant: (i64, i64), units: i64) -> Claim {
    let (grant_id, grant_units) = grant;
    let grants = vec![Grant { grant_id, units: grant_units }];
    let budget = Budget { budget_id, limit_units, hard: true, grants, ..Budget::default() };
    Claim { budget: Rc::new(budget), window: Window::WHOLE, units, opening_carry_units: 0 }
}

fn slot(id: i64) -> Slot {
    grant_slot(id)
}

fn spent(spent_units: i64) -> Balance {
    Balance { spent_units, ..Balance::default() }
}

fn held(held_units: i64) -> Balance {
    Balance { held_units, ..Balance::default() }
}

fn balances(of: &[(i64, Balance)]) -> Balances {
    of.iter().map(|(id, balance)| (slot(*id), *balance)).collect()
}

fn nothing_expired(_: &mut Balances) -> Result<(), NoBalance> {
    Ok(())
}

fn none_asked(_: &mut Balances) -> Result<(), NoBalance> {
    panic!("expired holds were looked for without need")
}

#[test]
fn each_call_sees_what_those_before_it_took() {
    let mut balances = balances(&[(1, Balance::default())]);
    let (first, second, third) = (claim(1, 100, true, 60), claim(1, 100, true, 50), claim(1, 100, true, 40));
    let calls: [&[Claim]; 3] = [&[first], &[second], &[third]];
    let (outcomes, changes) = decide(&calls, &mut balances, Taking::Hold, nothing_expired).unwrap();
    let outcomes: Vec<Outcome> = outcomes.into_iter().map(|outcome| outcome.unwrap()).collect();
    assert_eq!(outcomes.iter().map(|it| it.is_taken).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(outcomes[0].standings[0].balance, held(60));
    assert_eq!(outcomes[1].standings[0].balance, held(60));
    assert_eq!(outcomes[2].standings[0].balance, held(100));
    assert_eq!(changes[&slot(1)], Change { held_units: 100, ..Change::default() });
    assert_eq!(balances[&slot(1)], held(100));
}

#[test]
fn a_call_is_taken_wholly_or_not_at_all() {
    let mut balances = balances(&[(1, Balance::default()), (2, spent(95))]);
    let call = [claim(1, 100, true, 10), claim(2, 100, true, 10)];
    let (outcomes, changes) = decide(&[&call], &mut balances, Taking::Spend, nothing_expired).unwrap();
    let outcome = outcomes.into_iter().next().unwrap().unwrap();
    assert!(!outcome.fits && !outcome.is_taken && outcome.allotments.is_empty());
    assert!(changes.is_empty());
    assert_eq!(balances[&slot(1)], Balance::default());
}

#[test]
fn what_has_happened_is_recorded_although_it_does_not_fit() {
    let mut balances = balances(&[(1, spent(95))]);
    let call = [claim(1, 100, true, 10)];
    let (outcomes, changes) = decide(&[&call], &mut balances, Taking::Record, nothing_expired).unwrap();
    let outcome = outcomes.into_iter().next().unwrap().unwrap();
    assert!(!outcome.fits && outcome.is_taken);
    assert_eq!(changes[&slot(1)].spent_units, 10);
    assert_eq!(balances[&slot(1)], spent(105));
}

#[test]
fn what_no_balance_can_count_is_refused_by_itself_and_leaves_nothing() {
    for taking in [Taking::Hold, Taking::Extend, Taking::Spend, Taking::Record] {
        let mut balances = balances(&[(1, Balance::default()), (2, spent(i64::MAX)), (3, held(i64::MAX))]);
        let (first, last) = ([claim(1, 0, false, 10)], [claim(1, 0, false, 20)]);
        // The first slot could count it, the other one cannot.
        let beyond = [claim(1, 0, false, 1), claim(if taking_is_hold(taking) { 3 } else { 2 }, 0, false, 1)];
        let before = balances.clone();
        let (outcomes, changes) = decide(&[&first, &beyond, &last], &mut balances, taking, nothing_expired).unwrap();
        assert!(outcomes[0].as_ref().unwrap().is_taken);
        assert_eq!(*outcomes[1].as_ref().unwrap_err(), out_of_range());
        let last = outcomes[2].as_ref().unwrap();
        assert!(last.is_taken);
        assert_eq!(changes.keys().collect::<Vec<_>>(), [&slot(1)]);
        let change = changes[&slot(1)];
        assert_eq!(change.spent_units + change.held_units, 30);
        assert_eq!(last.standings[0].balance, balances[&slot(1)]);
        for other in [2, 3] {
            assert_eq!(balances[&slot(other)], before[&slot(other)]);
        }
    }
}

fn taking_is_hold(taking: Taking) -> bool {
    matches!(taking, Taking::Hold | Taking::Extend)
}

#[test]
fn calls_that_no_sum_can_count_together_are_refused_one_by_one() {
    let mut balances = balances(&[(1, spent(-10))]);
    let call = [claim(1, 0, false, i64::MAX)];
    let (outcomes, changes) = decide(&[&call, &call], &mut balances, Taking::Record, nothing_expired).unwrap();
    assert!(outcomes[0].is_ok());
    assert!(outcomes[1].is_err());
    assert_eq!(changes[&slot(1)].spent_units, i64::MAX);
    assert_eq!(balances[&slot(1)], spent(i64::MAX - 10));
}

#[test]
fn expired_holds_are_looked_for_once_and_only_where_room_is_short() {
    let mut roomy = balances(&[(1, held(40))]);
    let call = [claim(1, 100, true, 60)];
    assert!(decide(&[&call], &mut roomy, Taking::Hold, none_asked).unwrap().0[0].as_ref().unwrap().fits);

    let mut full = balances(&[(1, held(100))]);
    let mut asked = 0;
    let free = |balances: &mut Balances| {
        asked += 1;
        balances.insert(slot(1), held(50));
        Ok::<(), NoBalance>(())
    };
    let call = [claim(1, 100, true, 30)];
    let (outcomes, changes) = decide(&[&call, &call], &mut full, Taking::Hold, free).unwrap();
    let taken: Vec<bool> = outcomes.iter().map(|it| it.as_ref().unwrap().is_taken).collect();
    assert_eq!((taken, asked), (vec![true, false], 1));
    // What has expired is still among the held of whoever keeps the balance.
    assert_eq!(changes[&slot(1)].held_units, 30);
}

/// Of a grant of 3, 2 are spent and 5 held, as expired holds may be that are counted for nobody. The window has room of its
/// own, so nothing goes into the burst.
#[test]
fn expired_holds_of_a_grant_make_no_burst() {
    let mut claim = with_grant(1, 6, (2, 3), 1);
    claim.budget = Rc::new(Budget { burst_units: 2, ..(*claim.budget).clone() });
    let grant = Balance { spent_units: 2, held_units: 5, ..Balance::default() };
    let mut balances = balances(&[(1, held(2)), (2, grant)]);
    let calls: [&[Claim]; 1] = [&[claim]];
    let free = |balances: &mut Balances| -> Result<(), NoBalance> {
        balances.get_mut(&slot(2)).unwrap().held_units = 0;
        Ok(())
    };
    let (outcomes, _) = decide(&calls, &mut balances, Taking::Hold, free).unwrap();
    let allotments = outcomes.into_iter().next().unwrap().unwrap().allotments;
    assert_eq!(allotments.iter().map(|it| it.is_burst).collect::<Vec<_>>(), [false]);
}

#[test]
fn what_grants_bear_counts_in_their_own_slots() {
    let mut balances = balances(&[(1, spent(90)), (7, Balance::default())]);
    let call = [with_grant(1, 100, (7, 50), 25)];
    let (outcomes, changes) = decide(&[&call], &mut balances, Taking::Spend, nothing_expired).unwrap();
    let outcome = outcomes[0].as_ref().unwrap();
    assert_eq!(outcome.allotments, [Allotment { granted: vec![15], is_burst: false }]);
    assert_eq!(changes[&slot(1)], Change { spent_units: 25, held_units: 0, granted_units: 15 });
    assert_eq!(changes[&slot(7)], Change { spent_units: 15, ..Change::default() });
    assert_eq!(outcome.standings[0].grants_left, [35]);
    assert_eq!(outcome.standings[0].balance, Balance { spent_units: 115, granted_units: 15, ..Balance::default() });
}

#[test]
fn a_slot_that_was_not_opened_is_a_failure() {
    let call = [claim(1, 100, true, 10)];
    let decided = decide(&[&call], &mut Balances::new(), Taking::Hold, nothing_expired);
    assert_eq!(decided.err(), Some(NoBalance));
}
