//! Whether a call fits into its budgets, and how a refusal reads.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::budget::meter;
use crate::budget::window::Window;
use crate::instant::Instant;
use crate::refusal::{Code, Refusal};

/// A budget as a decision needs it.
#[derive(Clone, Debug)]
pub struct Budget {
    pub budget_id: i64,
    pub account: String,
    pub meter: String,
    /// Nano-units of the currency for cost, counts otherwise; so are all units here.
    pub limit_units: i64,
    pub hard: bool,
}

/// What a call wants of one budget in one window.
#[derive(Clone, Debug)]
pub struct Claim {
    pub budget: Budget,
    pub window: Window,
    pub units: i64,
}

/// What is spent and held of a budget in a window; `held_units` leaves out holds that have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub spent_units: i64,
    pub held_units: i64,
}

impl Balance {
    /// What is left of the limit, below zero after an overrun.
    pub fn remaining_units(self, limit_units: i64) -> i64 {
        let remaining = i128::from(limit_units) - i128::from(self.spent_units) - i128::from(self.held_units);
        i64::try_from(remaining).unwrap_or(if remaining < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Claim {
    /// Soft budgets only count, and nothing wanted always fits, also after an overrun.
    pub fn fits(&self, balance: Balance) -> bool {
        !self.budget.hard || self.units == 0 || self.units <= balance.remaining_units(self.budget.limit_units)
    }

    fn describe(&self, balance: Balance) -> Map<String, Value> {
        let amount = |units| meter::to_json(&self.budget.meter, units);
        let mut object = Map::new();
        object.insert("budget".into(), json!(self.budget.budget_id));
        object.insert("account".into(), json!(self.budget.account));
        object.insert("meter".into(), json!(self.budget.meter));
        object.insert("amount".into(), amount(self.budget.limit_units));
        object.insert("spent".into(), amount(balance.spent_units));
        object.insert("held".into(), amount(balance.held_units));
        object.insert("remaining".into(), amount(balance.remaining_units(self.budget.limit_units)));
        object.insert("requested".into(), amount(self.units));
        object.insert("resets_at".into(), instant_to_json(self.window.end));
        object
    }
}

/// Orders claims by how much of `whole` is left, least share first, and by budget for the rest.
fn compare_shares(
    (claim, balance): (&Claim, Balance),
    (other, other_balance): (&Claim, Balance),
    whole: impl Fn(&Claim) -> i64,
) -> Ordering {
    let left = |claim: &Claim, balance: Balance| i128::from(balance.remaining_units(claim.budget.limit_units));
    // A share of nothing would equal every other share, and then this would be no order at all.
    let whole = |claim: &Claim| i128::from(whole(claim).max(1));
    (left(claim, balance) * whole(other))
        .cmp(&(left(other, other_balance) * whole(claim)))
        .then(claim.budget.budget_id.cmp(&other.budget.budget_id))
}

/// Sorts budgets by the share of the limit that is left, least first.
pub fn sort_by_tightness(budgets: &mut [(Claim, Balance)]) {
    budgets.sort_by(|(claim, balance), (other, other_balance)| {
        compare_shares((claim, *balance), (other, *other_balance), |claim| claim.budget.limit_units)
    });
}

/// An instant for JSON: null where there is none.
pub fn instant_to_json(instant: Instant) -> Value {
    if instant.is_finite() { Value::from(instant.to_string()) } else { Value::Null }
}

/// The refusal of a call whose claims do not all fit; `None` if they do. The tightest budget leads, and where several
/// lack room, `violated` lists them all.
pub fn refusal(claims: &[Claim], balances: &[Balance]) -> Option<Refusal> {
    let mut violated: Vec<(&Claim, Balance)> =
        claims.iter().zip(balances.iter().copied()).filter(|(claim, balance)| !claim.fits(*balance)).collect();
    // Against what is wanted: the budget that lets the least of it through leads.
    violated.sort_by(|&left, &right| compare_shares(left, right, |claim| claim.units));
    let (tightest, balance) = violated.first()?;
    let mut detail = tightest.describe(*balance);
    if violated.len() > 1 {
        let all = violated.iter().map(|(claim, balance)| Value::Object(claim.describe(*balance))).collect();
        detail.insert("violated".into(), Value::Array(all));
    }
    Some(Refusal::new(
        Code::BudgetExceeded,
        format!("budget exceeded: {} of account \"{}\"", tightest.budget.meter, tightest.budget.account),
        Value::Object(detail),
        "Ask for less (a smaller max_output_tokens, a shorter prompt, a cheaper model), wait until resets_at, or have the budget raised.",
    ))
}

/// What remains per meter at the tightest hard budget.
pub fn remaining(claims: &[Claim], balances: &[Balance]) -> meter::Amounts {
    let mut tightest = meter::Amounts::new();
    for (claim, balance) in claims.iter().zip(balances).filter(|(claim, _)| claim.budget.hard) {
        let remaining = balance.remaining_units(claim.budget.limit_units);
        let least = tightest.entry(claim.budget.meter.clone()).or_insert(remaining);
        *least = (*least).min(remaining);
    }
    tightest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(budget_id: i64, meter: &str, limit_units: i64, hard: bool, units: i64) -> Claim {
        let budget = Budget { budget_id, account: format!("acme/{budget_id}"), meter: meter.into(), limit_units, hard };
        Claim { budget, window: Window::WHOLE, units }
    }

    fn balance(spent_units: i64, held_units: i64) -> Balance {
        Balance { spent_units, held_units }
    }

    #[test]
    fn the_last_unit_fits_and_one_more_does_not() {
        assert!(claim(1, "tokens", 100, true, 40).fits(balance(30, 30)));
        assert!(!claim(1, "tokens", 100, true, 41).fits(balance(30, 30)));
    }

    #[test]
    fn soft_budgets_and_empty_claims_always_fit() {
        assert!(claim(1, "tokens", 0, false, 1000).fits(balance(5, 5)));
        assert!(claim(1, "tokens", 0, true, 0).fits(balance(5, 5)));
    }

    #[test]
    fn extremes_do_not_wrap() {
        let claim = claim(1, "tokens", i64::MAX, true, i64::MAX);
        assert!(claim.fits(balance(0, 0)));
        assert!(!claim.fits(balance(1, 0)));
        assert!(!claim.fits(balance(i64::MAX, i64::MAX)));
        assert_eq!(balance(i64::MAX, i64::MAX).remaining_units(0), i64::MIN);
    }

    #[test]
    fn a_refusal_names_the_tightest_budget_and_all_that_lack_room() {
        let claims = [
            claim(1, "tokens", 100, true, 50),
            claim(2, "cost", 2_000_000_000, true, 1_000_000_000),
            claim(3, "requests", 5, true, 1),
        ];
        let balances = [balance(60, 0), balance(1_900_000_000, 0), balance(0, 0)];
        let refusal = refusal(&claims, &balances).unwrap();
        assert_eq!(refusal.reason, "budget exceeded: cost of account \"acme/2\"");
        assert_eq!(refusal.code.sqlstate(), "TB001");
        assert_eq!(refusal.detail["remaining"].to_string(), "0.1");
        assert_eq!(refusal.detail["violated"].as_array().unwrap().len(), 2);
        assert_eq!(super::refusal(&claims[2..], &balances[2..]), None);
    }

    #[test]
    fn what_remains_is_told_at_the_tightest_hard_budget() {
        let claims =
            [claim(1, "tokens", 100, true, 0), claim(2, "tokens", 50, true, 0), claim(3, "tokens", 1, false, 0)];
        let amounts = remaining(&claims, &[balance(0, 10), balance(0, 10), balance(0, 10)]);
        assert_eq!(amounts, meter::Amounts::from([("tokens".to_string(), 40)]));
    }

    #[test]
    fn tightness_is_an_order_also_for_limits_of_zero() {
        let budgets = (0..60).map(|id| (claim(id, "tokens", (id % 4) * 10, true, 0), balance((id * 7) % 11, 0)));
        let mut budgets: Vec<(Claim, Balance)> = budgets.collect();
        sort_by_tightness(&mut budgets);
        let shares = budgets.iter().map(|(claim, balance)| {
            balance.remaining_units(claim.budget.limit_units) as f64 / claim.budget.limit_units.max(1) as f64
        });
        assert!(shares.is_sorted());
    }
}
