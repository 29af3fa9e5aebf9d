use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::budget::decision::{Budget, Claim, Grant};
use crate::budget::rollover::Rollover;
use crate::budget::watch::Watch;
use crate::budget::window::Schedule;
use crate::engine::decide::{Balances, NoBalance, decide, touched};
use crate::engine::{Taking, own_slot};
use crate::instant::Instant;

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;
/// 2026-01-01 00:00 UTC.
const START: i64 = 1_767_225_600_000_000;

fn at(minutes: i64) -> Instant {
    Instant(START + minutes * MINUTE)
}

fn schedule(every: Option<&str>) -> Schedule {
    Schedule::parse(every, "UTC", "monday", None).unwrap()
}

fn budget(account_id: i64, limit_units: i64) -> Budget {
    Budget {
        budget_id: account_id,
        account_id,
        account: "acme".into(),
        meter: "tokens".into(),
        limit_units,
        hard: true,
        ..Budget::default()
    }
}

fn limit(budget: Budget, every: Option<&str>, rollover: Option<Rollover>) -> Limit {
    Limit::new(budget, every.map(str::to_string), schedule(every), rollover, at(0)).unwrap()
}

fn replay(limits: Vec<Limit>) -> Replay {
    Replay::new(limits, &["tokens".to_string()], at(0))
}

/// A call of account 2 below account 1.
struct Told {
    minute: i64,
    used: i64,
    held: Option<(i64, i64, i64)>,
    corrections: Vec<Correction>,
}

fn used(minute: i64, used: i64) -> Told {
    Told { minute, used, held: None, corrections: Vec::new() }
}

/// Held so many from `minute` until it was settled or expired.
fn held(minute: i64, units: i64, settled: i64, expires: i64, used: i64) -> Told {
    Told { minute, used, held: Some((units, settled, expires)), corrections: Vec::new() }
}

fn judge(replay: &mut Replay, told: &Told) -> Option<Reason> {
    let (settled_at, hold_ends_at, held) = match told.held {
        Some((units, settled, expires)) => (at(settled), Some(at(expires)), Some(units)),
        None => (at(told.minute), None, None),
    };
    replay
        .judge(&Call {
            at: at(told.minute),
            settled_at,
            hold_ends_at,
            account_ids: &[1, 2],
            is_own: true,
            is_retry: false,
            used: &[told.used],
            held: &[held],
            actual_nanos: Some(told.used),
            cost_nanos: Some(told.used),
            is_repriced: false,
            is_unpriced: false,
            corrections: &told.corrections,
        })
        .refused
}

fn refusals(limits: Vec<Limit>, calls: &[Told]) -> (Vec<bool>, Sums, Vec<WindowSums>) {
    let mut replay = replay(limits);
    let refused = calls.iter().map(|call| judge(&mut replay, call).is_some()).collect();
    let (sums, windows) = replay.finish();
    (refused, sums, windows)
}

#[test]
fn a_refused_call_spends_nothing() {
    // 60 fit, 50 do not, 40 then do; the next hour begins anew.
    let calls = [used(0, 60), used(1, 50), used(2, 40), used(60, 50)];
    let (refused, sums, windows) = refusals(vec![limit(budget(1, 100), Some("hour"), None)], &calls);
    assert_eq!(refused, [false, true, false, false]);
    assert_eq!((sums.calls, sums.allowed, sums.refused), (4, 3, 1));
    assert_eq!((sums.actual_nanos, sums.cost_nanos, sums.refused_nanos), (200, 150, 50));
    assert_eq!(sums.first_refusal_at, Some(at(1)));
    let spent: Vec<_> = windows
        .iter()
        .map(|it| (it.spent_units, it.counts.calls, it.counts.allowed, it.counts.refused, it.counts.refused_units))
        .collect();
    assert_eq!(spent, [(100, 3, 2, 1, 50), (50, 1, 1, 0, 0)]);
}

#[test]
fn a_hold_counts_until_it_is_settled_or_expires() {
    let limits = || vec![limit(budget(1, 100), None, None)];
    // 80 held for 10 used: until minute 10 there is room for 20, after that for 90.
    let settled = [held(0, 80, 10, 60, 10), held(9, 21, 20, 60, 21), held(10, 90, 20, 60, 90)];
    assert_eq!(refusals(limits(), &settled).0, [false, true, false]);
    // Settled an hour late: between expiry and settlement nothing is held.
    let late = [held(0, 80, 70, 10, 10), held(9, 21, 9, 60, 21), held(10, 100, 11, 60, 5), held(71, 86, 72, 99, 86)];
    assert_eq!(refusals(limits(), &late).0, [false, true, false, true]);
}

#[test]
fn each_budget_is_told_what_it_refused() {
    // The account below lets 30 through, the one above 50: the second call fits neither, the third only the one above.
    let calls = [used(0, 30), used(1, 40), used(2, 1)];
    let (refused, sums, windows) =
        refusals(vec![limit(budget(1, 50), None, None), limit(budget(2, 30), None, None)], &calls);
    assert_eq!(refused, [false, true, true]);
    assert_eq!(sums.refused, 2);
    let told: Vec<_> = windows
        .iter()
        .map(|it| (it.counts.allowed, it.counts.refused, it.counts.refused_units, it.counts.first_refusal_at))
        .collect();
    assert_eq!(told, [(1, 1, 40, Some(at(1))), (1, 2, 41, Some(at(1)))]);
}

#[test]
fn soft_limits_count_and_bursts_give_room() {
    let soft = Budget { hard: false, ..budget(1, 10) };
    let burst = Budget { burst_units: 5, ..budget(1, 10) };
    let calls = [used(0, 8), used(1, 7), used(2, 1)];
    assert_eq!(refusals(vec![limit(soft, None, None)], &calls).0, [false, false, false]);
    assert_eq!(refusals(vec![limit(burst, None, None)], &calls).0, [false, false, true]);
}

#[test]
fn a_window_gets_what_the_one_before_left() {
    // 100 an hour, 60 left of the first, nobody in the second: the third has 60 + 100 + 100.
    let calls = [used(0, 40), used(125, 260), used(126, 1), used(180, 101)];
    let all = Some(Rollover { cap_units: i64::MAX });
    let (refused, _, windows) = refusals(vec![limit(budget(1, 100), Some("hour"), all)], &calls);
    assert_eq!(refused, [false, false, true, true]);
    assert_eq!(windows.iter().map(|it| it.limit_units).collect::<Vec<_>>(), [100, 260, 100]);
    let mut known = limit(budget(1, 100), Some("hour"), all);
    known.before = Some(Before { start: Instant(START - HOUR), carried_units: 0, left_units: 7 });
    assert_eq!(refusals(vec![known], &[used(0, 107), used(1, 1)]).0, [false, true]);
}

#[test]
fn a_grant_is_drawn_on_while_it_holds() {
    let granted = |from, until| {
        let grant = Grant { grant_id: 9, units: 50 };
        limit(budget(1, 100), Some("hour"), None).with_grants(vec![DatedGrant {
            grant,
            from: at(from),
            until: at(until),
        }])
    };
    // 150 in the first hour; the grant is used up, so 100 in the next.
    let calls = [used(0, 150), used(1, 1), used(60, 101), used(61, 100)];
    assert_eq!(refusals(vec![granted(0, 1000)], &calls).0, [false, true, true, false]);
    // It does not hold before minute 1.
    assert_eq!(refusals(vec![granted(1, 1000)], &calls).0, [true, false, false, true]);
}

#[test]
fn what_a_grant_bore_comes_back_with_the_hold() {
    let grant = DatedGrant { grant: Grant { grant_id: 9, units: 50 }, from: at(0), until: at(1000) };
    let limits = vec![limit(budget(1, 100), Some("hour"), None).with_grants(vec![grant])];
    // 150 held, 120 used: 20 of the grant are gone and 30 left for the next hour.
    let calls = [held(0, 150, 5, 99, 120), used(60, 131), used(61, 130)];
    assert_eq!(refusals(limits, &calls).0, [false, true, false]);
}

#[test]
fn a_frozen_window_refuses_all_that_follows() {
    let watch = Watch { thresholds_percent: Vec::new(), freeze_at_percent: Some(50) };
    let mut frozen = limit(Budget { hard: false, watch, ..budget(1, 100) }, Some("hour"), None);
    frozen.policy_place = Some(1);
    let mut replay = replay(vec![frozen]);
    assert_eq!(judge(&mut replay, &used(0, 49)), None);
    assert_eq!(judge(&mut replay, &used(1, 1)), None);
    let reason = judge(&mut replay, &used(2, 0)).unwrap();
    assert_eq!(
        reason.words(),
        "account \"acme\" is frozen: its tokens reached 50 % of 100 in the window from 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z"
    );
    assert_eq!(judge(&mut replay, &used(60, 49)), None);
}

#[test]
fn a_reason_says_what_was_wanted_and_left() {
    let mut replay = replay(vec![limit(budget(1, 10), None, None)]);
    judge(&mut replay, &used(0, 7));
    let reason = judge(&mut replay, &used(1, 4)).unwrap();
    assert_eq!(reason.words(), "tokens of account \"acme\": 4 wanted, 3 of 10 left in all");
}

#[test]
fn a_correction_counts_from_when_it_was_made() {
    let mut cost = budget(1, 100);
    cost.meter = "cost".into();
    let mut replay = Replay::new(vec![limit(cost, None, None)], &["cost".to_string()], at(0));
    let corrected =
        Told { corrections: vec![Correction { at: at(10), cost_nanos: 60, internal_nanos: 0 }], ..used(0, 40) };
    assert_eq!(judge(&mut replay, &corrected), None);
    assert_eq!(judge(&mut replay, &used(5, 30)), None);
    assert!(judge(&mut replay, &used(11, 1)).is_some());
    assert_eq!(replay.finish().1.first().unwrap().spent_units, 130);
}

#[test]
fn the_opening_window_begins_with_what_was_used() {
    let imagined = |every| {
        let mut it = limit(budget(1, 100), every, None);
        it.policy_place = Some(1);
        it
    };
    let begins = |every| replay(vec![imagined(every)]).history_begins_at();
    assert_eq!((begins(Some("day")), begins(None)), (at(0), at(0)));
    let since = at(30);
    let mut hourly = Limit::new(budget(1, 100), None, schedule(Some("hour")), None, since).unwrap();
    hourly.policy_place = Some(1);
    let present = Limit::new(budget(2, 100), None, schedule(Some("hour")), None, since).unwrap();
    let mut replay = Replay::new(vec![hourly, present], &["tokens".to_string()], since);
    assert_eq!(replay.history_begins_at(), at(0));
    // What counted against the present one is what its slot says, and nothing where there is none.
    let slots = [(2, at(0), 90)];
    replay.remember(&Past { at: at(10), account_ids: &[1, 2], used: &[60], slots: &slots });
    replay.remember(&Past { at: at(11), account_ids: &[1, 2], used: &[20], slots: &[] });
    let reason = judge(&mut replay, &used(31, 21)).unwrap();
    assert_eq!((reason.left_units, reason.budget.policy_place), (10, None));
    assert_eq!(judge(&mut replay, &used(32, 10)), None);
    let spent: Vec<_> = replay.finish().1.iter().map(|it| it.spent_units).collect();
    assert_eq!(spent, [90, 100]);
}

fn error(policy: serde_json::Value) -> String {
    Policy::parse(&policy).unwrap_err().to_string()
}

#[test]
fn a_malformed_policy_says_where() {
    assert_eq!(error(json!([])), "$: expected an object");
    assert_eq!(error(json!({"budget": []})), "$.budget: no such member; budgets is one");
    assert_eq!(error(json!({"budgets": {}})), "$.budgets: expected an array");
    assert_eq!(error(json!({"budgets": [{"meter": "cost"}]})), "$.budgets[0].amount: it is missing");
    assert_eq!(error(json!({"budgets": [{"amount": 1}]})), "$.budgets[0].meter: it is missing");
    let budget = |more: serde_json::Value| {
        let mut budget = json!({"meter": "tokens", "amount": 1});
        budget.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"budgets": [{"meter": "cost", "amount": 0.5}, budget]})
    };
    assert!(Policy::parse(&budget(json!({}))).is_ok());
    for (member, bad) in [
        ("amount", json!(-1)),
        ("amount", json!(0.5)),
        ("amount", json!("1")),
        ("amount", json!(1e30)),
        ("meter", json!("No Meter")),
        ("every", json!("fortnight")),
        ("hard", json!("yes")),
        ("burst", json!(-1)),
        ("rollover", json!("some")),
        ("rollover", json!("capped")),
        ("freeze_at", json!(0)),
        ("freeze_at", json!(1.5)),
        ("anchor", json!("yesterday")),
        ("limit", json!(1)),
    ] {
        assert!(error(budget(json!({member: bad}))).starts_with(&format!("$.budgets[1].{member}: ")), "{member}");
    }
    assert_eq!(error(json!({"models": {"a": 1}})), "$.models.a: expected the name of a model");
    assert!(error(json!({"prices": {"a": {"input": -1}}})).starts_with("$.prices.a: "));
    assert_eq!(error(json!({"prices": {"a": {}}})), "$.prices.a: it has no price");
    assert!(error(json!({"prices": {"*": {"discount_percent": 101}}})).starts_with("$.prices.*.discount_percent: "));
    assert!(error(json!({"prices": {"*": {"discount_percent": 1, "input": 2}}})).starts_with("$.prices.*.input: "));
    assert_eq!(error(json!({"basis": "guess"})), "$.basis: expected hold or use");
}

#[test]
fn present_budgets_hold_unless_others_are_named() {
    let keeps = |policy| Policy::parse(&policy).unwrap().keeps_budgets;
    assert!(keeps(json!({})));
    assert!(!keeps(json!({"budgets": []})));
    assert!(keeps(json!({"budgets": [], "keep_budgets": true})));
}

#[test]
fn a_part_of_an_amount_is_rounded_half_to_even() {
    let part = |percent: i128, nanos| PriceRule::part(10_000 * percent, nanos);
    assert_eq!((part(50, 3), part(50, 5), part(50, -3), part(80, 100)), (2, 2, -2, 80));
    assert_eq!((PriceRule::part_up(500_000, 3), PriceRule::part_up(500_000, 4)), (2, 2));
    assert_eq!(PriceRule::part(101_000_000, i64::MAX), i64::MAX);
}

/// A step of a history: minutes since the one before, what is held, for how long, what is then used in per cent of it.
type Step = (i64, i64, i64, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0_i64..40, 0_i64..60, 0_i64..90, 0_i64..130), 1..80)
}

/// What an engine with these limits would have allowed, hold by hold, with the balances at the end.
fn history(limits: &[(Budget, Option<&str>)], steps: &[Step]) -> (Vec<Told>, Balances) {
    let mut balances = Balances::new();
    let mut open: Vec<(i64, Vec<Claim>, i64)> = Vec::new();
    let (mut minute, mut told) = (0, Vec::new());
    let settle = |balances: &mut Balances, claims: &[Claim], used: i64| {
        for claim in claims {
            let balance = balances.get_mut(&own_slot(claim)).unwrap();
            balance.held_units -= claim.units;
            balance.spent_units += used;
        }
    };
    for (wait, units, minutes, percent) in steps {
        minute += wait;
        open.retain(|(settled, claims, used)| {
            if *settled <= minute {
                settle(&mut balances, claims, *used);
            }
            *settled > minute
        });
        let claims: Vec<Claim> = limits
            .iter()
            .map(|(budget, every)| Claim {
                budget: budget.clone().into(),
                window: schedule(*every).window_at(at(minute)).unwrap(),
                units: *units,
                opening_carry_units: 0,
            })
            .collect();
        for slot in touched(&[&claims]).keys() {
            balances.entry(*slot).or_default();
        }
        let (outcomes, _) = decide::<NoBalance>(&[&claims], &mut balances, Taking::Hold, |_| Ok(())).unwrap();
        if outcomes.first().unwrap().as_ref().unwrap().is_taken {
            let (settled, used) = (minute + minutes, units * percent / 100);
            told.push(held(minute, *units, settled, settled + 1, used));
            open.push((settled, claims, used));
        }
    }
    for (_, claims, used) in open {
        settle(&mut balances, &claims, used);
    }
    (told, balances)
}

proptest! {
    /// The limits under which a history ran refuse nothing of it, and count what the engine counted.
    #[test]
    fn present_limits_refuse_nothing_that_they_allowed(
        steps in steps(), hourly in 1_i64..200, daily in 1_i64..1000, burst in 0_i64..50,
    ) {
        let limits = [
            (Budget { burst_units: burst, ..budget(1, hourly) }, Some("hour")),
            (budget(2, daily), Some("day")),
        ];
        let (told, balances) = history(&limits, &steps);
        let replayed = limits.iter().map(|(budget, every)| limit(budget.clone(), *every, None)).collect();
        let (refused, sums, windows) = refusals(replayed, &told);
        prop_assert!(refused.iter().all(|is_refused| !is_refused));
        prop_assert_eq!(sums.allowed, told.len() as i64);
        for window in windows {
            let balance = balances.get(&(window.budget.budget_id, window.window.start)).unwrap();
            prop_assert_eq!(window.spent_units, balance.spent_units);
        }
    }

    /// Every call is allowed or refused, and what the allowed ones used is what the windows spent.
    #[test]
    fn nothing_is_lost(steps in steps(), first in 0_i64..300, second in 0_i64..300) {
        let (told, _) = history(&[], &steps);
        let limits = vec![limit(budget(1, first), Some("hour"), None), limit(budget(2, second), None, None)];
        let (refused, sums, windows) = refusals(limits, &told);
        prop_assert_eq!(sums.allowed + sums.refused, told.len() as i64);
        let allowed: i64 = told.iter().zip(&refused).filter(|(_, refused)| !**refused).map(|(call, _)| call.used).sum();
        for id in [1, 2] {
            let spent: i64 = windows.iter().filter(|it| it.budget.budget_id == id).map(|it| it.spent_units).sum();
            prop_assert_eq!(spent, allowed);
        }
    }

    /// One looser limit refuses no earlier; of calls of one size it refuses none that the tighter one allows.
    #[test]
    fn looser_is_later(steps in steps(), tight in 0_i64..300, more in 0_i64..300) {
        let calls: Vec<Told> = steps.iter().scan(0, |minute, step| {
            *minute += step.0;
            Some(used(*minute, step.1))
        }).collect();
        let first = |units| refusals(vec![limit(budget(1, units), Some("hour"), None)], &calls).1.first_refusal_at;
        let later = |at: Option<Instant>| at.unwrap_or(Instant::AFTER_ALL);
        prop_assert!(later(first(tight)) <= later(first(tight + more)));
        let alike: Vec<Told> = calls.iter().map(|call| used(call.minute, 7)).collect();
        let refused = |units| refusals(vec![limit(budget(1, units), Some("hour"), None)], &alike).0;
        prop_assert!(refused(tight).iter().zip(refused(tight + more)).all(|(tight, loose)| *tight || !loose));
    }
}
