//! Why a replay refused a call, in words.

use std::rc::Rc;

use serde_json::Value;

use crate::budget::decision::Budget;
use crate::budget::meter;
use crate::budget::window::Window;

/// The tightest of the limits that refused a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub budget: Rc<BudgetName>,
    pub window: Window,
    /// What the call wanted of it.
    pub requested_units: i64,
    /// What the window had left, the burst included.
    pub left_units: i64,
    pub limit_units: i64,
    pub is_frozen: bool,
}

/// How a limit is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetName {
    /// None for one of a policy.
    pub budget_id: Option<i64>,
    pub policy_place: Option<i32>,
    pub account: String,
    pub meter: String,
    pub freeze_at_percent: Option<i32>,
}

impl BudgetName {
    pub(super) fn of(budget: &Budget, policy_place: Option<i32>) -> BudgetName {
        BudgetName {
            budget_id: policy_place.is_none().then_some(budget.budget_id),
            policy_place,
            account: budget.account.clone(),
            meter: budget.meter.clone(),
            freeze_at_percent: budget.watch.freeze_at_percent,
        }
    }
}

fn amount(name: &str, units: i64) -> String {
    match meter::to_json(name, units) {
        Value::Number(number) => number.to_string(),
        _ => units.to_string(),
    }
}

impl Reason {
    /// Such as `cost of account "acme": 0.5 wanted, 0.2 of 10 left in the window from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z`.
    pub fn words(&self) -> String {
        let BudgetName { account, meter, freeze_at_percent, .. } = &*self.budget;
        let Window { start, end } = self.window;
        let within = if self.window == Window::WHOLE {
            "in all".to_string()
        } else {
            format!("in the window from {start} to {end}")
        };
        let limit = amount(meter, self.limit_units);
        if self.is_frozen {
            let percent = freeze_at_percent.unwrap_or_default();
            return format!("account \"{account}\" is frozen: its {meter} reached {percent} % of {limit} {within}");
        }
        let (requested, left) = (amount(meter, self.requested_units), amount(meter, self.left_units));
        format!("{meter} of account \"{account}\": {requested} wanted, {left} of {limit} left {within}")
    }
}
