//! How a call that does not fit is refused.

use serde_json::{Map, Value, json};

use crate::budget::decision::{Claim, Standing, compare_shares};
use crate::budget::meter;
use crate::instant::Instant;
use crate::refusal::{Code, Refusal};

/// An instant for JSON: null where there is none.
pub fn instant_to_json(instant: Instant) -> Value {
    if instant.is_finite() { Value::from(instant.to_string()) } else { Value::Null }
}

fn describe(claim: &Claim, standing: &Standing) -> Map<String, Value> {
    let budget = &claim.budget;
    let amount = |units| meter::to_json(&budget.meter, units);
    let mut object = Map::new();
    object.insert("budget".into(), json!(budget.budget_id));
    object.insert("account".into(), json!(budget.account));
    object.insert("meter".into(), json!(budget.meter));
    object.insert("amount".into(), amount(standing.limit_units(budget)));
    object.insert("spent".into(), amount(standing.balance.spent_units));
    object.insert("held".into(), amount(standing.balance.held_units));
    object.insert("remaining".into(), amount(standing.remaining_units(budget)));
    object.insert("requested".into(), amount(claim.units));
    object.insert("resets_at".into(), instant_to_json(claim.window.end));
    if standing.granted_units() != 0 {
        object.insert("granted".into(), amount(standing.granted_units()));
    }
    if budget.burst_units != 0 {
        object.insert("burst".into(), amount(budget.burst_units));
    }
    object
}

/// The refusal of a call whose claims do not all fit; `None` if they do. The tightest budget leads, and where several
/// lack room, `violated` lists them all.
pub fn refusal(claims: &[Claim], standings: &[Standing]) -> Option<Refusal> {
    let mut violated: Vec<(&Claim, &Standing)> =
        claims.iter().zip(standings).filter(|(claim, standing)| !claim.fits(standing)).collect();
    // Against what is wanted: the budget that lets the least of it through leads.
    violated.sort_by(|&left, &right| compare_shares(left, right, |claim, _| claim.units));
    let (tightest, standing) = violated.first()?;
    let mut detail = describe(tightest, standing);
    if violated.len() > 1 {
        let all = violated.iter().map(|(claim, standing)| Value::Object(describe(claim, standing))).collect();
        detail.insert("violated".into(), Value::Array(all));
    }
    Some(Refusal::new(
        Code::BudgetExceeded,
        format!("budget exceeded: {} of account \"{}\"", tightest.budget.meter, tightest.budget.account),
        Value::Object(detail),
        "Ask for less (a smaller max_output_tokens, a shorter prompt, a cheaper model), wait until resets_at, or have the budget raised.",
    ))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::budget::decision::{Balance, Budget};
    use crate::budget::window::Window;

    fn claim(budget_id: i64, meter: &str, limit_units: i64, units: i64) -> Claim {
        let account = format!("acme/{budget_id}");
        let budget = Budget { budget_id, account, meter: meter.into(), limit_units, hard: true, ..Budget::default() };
        Claim { budget: Rc::new(budget), window: Window::WHOLE, units, opening_carry_units: 0 }
    }

    fn spent(spent_units: i64) -> Standing {
        Standing { balance: Balance { spent_units, ..Balance::default() }, grants_left: Vec::new() }
    }

    #[test]
    fn a_refusal_names_the_tightest_budget_and_all_that_lack_room() {
        let claims =
            [claim(1, "tokens", 100, 50), claim(2, "cost", 2_000_000_000, 1_000_000_000), claim(3, "requests", 5, 1)];
        let standings = [spent(60), spent(1_900_000_000), spent(0)];
        let found = refusal(&claims, &standings).unwrap();
        assert_eq!(found.reason, "budget exceeded: cost of account \"acme/2\"");
        assert_eq!(found.code.sqlstate(), "TB001");
        assert_eq!(found.detail["remaining"].to_string(), "0.1");
        assert_eq!(found.detail["violated"].as_array().unwrap().len(), 2);
        assert_eq!(refusal(&claims[2..], &standings[2..]), None);
    }
}
