//! The accounts of a call, from the root down, and the budgets they are under.

use std::collections::HashMap;

use chrono_tz::Tz;
use pgrx::JsonB;
use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::account;
use crate::budget::decision::{Budget, Claim};
use crate::budget::window::{Calendar, window_at};
use crate::instant::Instant;
use crate::ledger::{Failure, access};
use crate::privilege::Privilege;
use crate::refusal::{Code, Refusal};
use crate::statement::{optional, required, statement, timestamp};

statement! {
    read find_tenant(TEXTOID) =
    "SELECT tenant.tenant_id, tenant.currency FROM tokbudget.tenant WHERE tenant.name OPERATOR(pg_catalog.=) $1"
}

statement! {
    read find_accounts(INT4OID, TEXTARRAYOID) =
    "SELECT account.account_id, account.path, account.status, account.status_reason, account.cost_center,
         account.unpriced, account.fallback_unit_prices
     FROM tokbudget.account
     WHERE account.tenant_id OPERATOR(pg_catalog.=) $1 AND account.path OPERATOR(pg_catalog.=) ANY ($2)"
}

statement! {
    read find_budgets(INT4OID, INT8ARRAYOID, TIMESTAMPTZOID) =
    "SELECT budget.budget_id, budget.account_id, budget.meter, budget.limit_units, budget.every, budget.time_zone, budget.hard
     FROM tokbudget.budget
     WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1 AND budget.account_id OPERATOR(pg_catalog.=) ANY ($2)
         AND budget.status OPERATOR(pg_catalog.=) 'active'
         AND (budget.valid_from IS NULL OR budget.valid_from OPERATOR(pg_catalog.<=) $3)
         AND (budget.valid_until IS NULL OR budget.valid_until OPERATOR(pg_catalog.>) $3)
     ORDER BY budget.budget_id"
}

/// One account of a chain.
pub struct Account {
    pub account_id: i64,
    pub path: String,
    status: String,
    status_reason: Option<String>,
    cost_center: Option<String>,
    unpriced: Option<String>,
    fallback_unit_prices: Option<Value>,
}

/// The accounts that a call draws on: its own and those of `also`, with all above them, each once.
pub struct Chain {
    pub tenant_id: i32,
    pub currency: String,
    /// From the root down; those of `also` that are not above the account itself come last.
    pub accounts: Vec<Account>,
    /// How many of `accounts` are the account itself and those above it.
    own_length: usize,
}

impl Chain {
    /// Finds the accounts of a call, on each of which (its own and those of `also`) the present role needs the privilege.
    pub fn find(
        client: &mut SpiClient<'_>,
        path: &str,
        also: &[String],
        privilege: Privilege,
    ) -> Result<Chain, Failure> {
        let own = parse_path(path)?;
        let mut paths: Vec<&str> = own.clone();
        for other in also {
            let other_chain = parse_path(other)?;
            if other_chain.first() != own.first() {
                return Err(Refusal::new(
                    Code::InvalidArgument,
                    "accounts of different tenants",
                    json!({"account": path, "also": other}),
                    "All accounts of one call belong to one tenant: they have the same first name.",
                )
                .into());
            }
            for level in other_chain {
                if !paths.contains(&level) {
                    paths.push(level);
                }
            }
        }

        let root = own.first().copied().unwrap_or_default();
        let Some(tenant) = find_tenant(client, &[root.into()])?.next() else {
            return Err(Refusal::no_such_account(path).into());
        };
        let tenant_id: i32 = required(&tenant, 1)?;
        let currency: String = required(&tenant, 2)?;

        let mut found: HashMap<String, Account> = HashMap::with_capacity(paths.len());
        for row in find_accounts(client, &[tenant_id.into(), paths.clone().into()])? {
            let account = Account {
                account_id: required(&row, 1)?,
                path: required(&row, 2)?,
                status: required(&row, 3)?,
                status_reason: optional(&row, 4)?,
                cost_center: optional(&row, 5)?,
                unpriced: optional(&row, 6)?,
                fallback_unit_prices: optional::<JsonB>(&row, 7)?.map(|prices| prices.0),
            };
            found.insert(account.path.clone(), account);
        }
        let accounts = paths
            .iter()
            .map(|path| found.remove(*path).ok_or_else(|| Refusal::no_such_account(path)))
            .collect::<Result<Vec<Account>, Refusal>>()?;
        let chain = Chain { tenant_id, currency, accounts, own_length: own.len() };
        for end in [path].into_iter().chain(also.iter().map(String::as_str)) {
            access::require(client, tenant_id, &chain.ids_down_to(end)?, privilege)?;
        }
        Ok(chain)
    }

    /// The accounts from the root down to `path`, which is one of the chain.
    fn ids_down_to(&self, path: &str) -> Result<Vec<i64>, Failure> {
        let levels = parse_path(path)?;
        let id_of = |level: &str| self.accounts.iter().find(|account| account.path == level);
        Ok(levels.into_iter().filter_map(id_of).map(|account| account.account_id).collect())
    }

    /// Refuses if an account of the chain may not spend.
    pub fn check_active(&self) -> Result<(), Refusal> {
        match self.accounts.iter().find(|account| account.status != "active") {
            None => Ok(()),
            Some(account) => Err(Refusal::new(
                Code::FrozenOrClosed,
                format!("account \"{}\" is {}", account.path, account.status),
                json!({"account": account.path, "status": account.status, "why": account.status_reason}),
                "Ask whoever froze it; tb_thaw() ends a freeze.",
            )),
        }
    }

    pub fn account_ids(&self) -> Vec<i64> {
        self.accounts.iter().map(|account| account.account_id).collect()
    }

    /// The account that the call itself named.
    pub fn own_account_id(&self) -> Option<i64> {
        self.own().last().map(|account| account.account_id)
    }

    /// Where the spend is charged: the account's own cost center, or that of its nearest ancestor.
    pub fn cost_center(&self) -> Option<String> {
        self.own().iter().rev().find_map(|account| account.cost_center.clone())
    }

    /// Whether usage without a price is recorded, and the prices at which budgets in cost count it then (an empty object for
    /// none); the nearest account above that says anything decides.
    pub fn fallback_unit_prices(&self) -> Option<Value> {
        let decisive = self.own().iter().rev().find(|account| account.unpriced.is_some())?;
        (decisive.unpriced.as_deref() == Some("record"))
            .then(|| decisive.fallback_unit_prices.clone().unwrap_or_else(|| json!({})))
    }

    /// The accounts from the root down to the one that spends, without those of `also`.
    pub fn own_account_ids(&self) -> Vec<i64> {
        self.own().iter().map(|account| account.account_id).collect()
    }

    fn own(&self) -> &[Account] {
        self.accounts.get(..self.own_length).unwrap_or_default()
    }

    /// The budgets of the chain that are valid at `now`, each with its window and nothing claimed yet, in the order in which
    /// the engine locks.
    pub fn claims(&self, client: &mut SpiClient<'_>, now: Instant) -> Result<Vec<Claim>, Failure> {
        let paths: HashMap<i64, &str> =
            self.accounts.iter().map(|account| (account.account_id, account.path.as_str())).collect();
        let mut claims = Vec::new();
        for row in find_budgets(client, &[self.tenant_id.into(), self.account_ids().into(), timestamp(now)?.into()])? {
            let account_id: i64 = required(&row, 2)?;
            let every: Option<String> = optional(&row, 5)?;
            let zone: String = required(&row, 6)?;
            let calendar = every.map(|every| every.parse::<Calendar>()).transpose();
            let window = calendar
                .ok()
                .zip(zone.parse::<Tz>().ok())
                .and_then(|(calendar, zone)| window_at(calendar, zone, now))
                .ok_or(Failure::Internal("a budget has no window at this instant"))?;
            let budget = Budget {
                budget_id: required(&row, 1)?,
                account: paths.get(&account_id).copied().unwrap_or_default().to_string(),
                meter: required(&row, 3)?,
                limit_units: required(&row, 4)?,
                hard: required(&row, 7)?,
            };
            claims.push(Claim { budget, window, units: 0 });
        }
        Ok(claims)
    }
}

/// The paths from the root down to `path`.
pub fn parse_path(path: &str) -> Result<Vec<&str>, Refusal> {
    account::chain(path).map_err(|error| {
        Refusal::new(
            Code::InvalidArgument,
            "invalid account path",
            json!({"account": path.chars().take(200).collect::<String>(), "why": error.to_string()}),
            "A path is names joined by a slash, such as 'acme/search/bot-7'.",
        )
    })
}
