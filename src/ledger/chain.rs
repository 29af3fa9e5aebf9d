//! The accounts of a call, from the root down.

use std::rc::Rc;

use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::access::{self, Authority};
use crate::ledger::accounts::{self, Account, Found, Tenant};
use crate::ledger::quota::{self, Birth};
use crate::refusal::{Code, Refusal};
use crate::statement::{statement, timestamp};
use crate::{account, id};

statement! {
    /// Nobody renames or moves accounts until this transaction ends.
    write keep_tree(INT4OID) =
    "SELECT FROM tokbudget.tenant WHERE tenant.tenant_id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE"
}

statement! {
    /// Of several first calls the first makes the account, the others wait for that one's end.
    write make_account(INT4OID, INT8OID, TEXTOID, INT8OID, INT8ARRAYOID, TEXTOID, TEXTOID, TIMESTAMPTZOID) =
    "INSERT INTO tokbudget.account (tenant_id, account_id, path, parent_id, ancestor_ids, kind, labels, created_at)
     VALUES ($1, $2, $3, $4, $5, $6,
         CASE WHEN $7 IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object('role', $7) END, $8)
     ON CONFLICT (tenant_id, path) DO NOTHING"
}

/// The accounts that a call draws on: its own and those of `also`, with all above them, each once.
pub struct Chain {
    pub tenant_id: i32,
    pub currency: Rc<str>,
    /// From the root down; those of `also` that are not above the account itself come last.
    pub accounts: Vec<Rc<Account>>,
    /// How many of `accounts` are the account itself and those above it.
    own_length: usize,
}

/// Makes accounts that nobody has made yet, where a rule above them says so.
pub struct FirstUse<'a> {
    pub now: Instant,
    /// What the caller says of its role.
    pub told_role: Option<&'a str>,
}

impl Chain {
    /// Finds the accounts of a call, each of which (its own and those of `also`) the authority must cover, and with `first_use`
    /// makes those that are missing and may be made.
    pub fn find(
        client: &mut SpiClient<'_>,
        path: &str,
        also: &[String],
        authority: Authority,
        first_use: Option<&FirstUse<'_>>,
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
        let Some(Tenant { tenant_id, currency }) = accounts::tenant(client, root)? else {
            return Err(Refusal::no_such_account(path).into());
        };
        let accounts = match accounts::kept(&paths) {
            Some(accounts) => accounts,
            None => read(client, tenant_id, &paths, authority, first_use)?,
        };
        let chain = Chain { tenant_id, currency, accounts, own_length: own.len() };
        access::require_authority(client, tenant_id, &chain.own_account_ids(), authority)?;
        for end in also {
            access::require_authority(client, tenant_id, &chain.ids_down_to(end)?, authority)?;
        }
        Ok(chain)
    }

    /// The accounts from the root down to `path`, which is one of the chain.
    fn ids_down_to(&self, path: &str) -> Result<Vec<i64>, Failure> {
        let levels = parse_path(path)?;
        let id_of = |level: &str| self.accounts.iter().find(|account| account.path == level);
        Ok(levels.into_iter().filter_map(id_of).map(|account| account.account_id).collect())
    }

    /// Refuses if an account of the chain may not spend at `now`.
    pub fn check_active(&self, now: Instant) -> Result<(), Refusal> {
        self.accounts.iter().try_for_each(|account| account.check_active(now))
    }

    fn own_account_ids(&self) -> Vec<i64> {
        self.own().iter().map(|account| account.account_id).collect()
    }

    pub fn account_ids(&self) -> Vec<i64> {
        self.accounts.iter().map(|account| account.account_id).collect()
    }

    /// The account that the call itself named.
    pub fn own_account_id(&self) -> i64 {
        self.own().last().map_or(0, |account| account.account_id)
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

    fn own(&self) -> &[Rc<Account>] {
        self.accounts.get(..self.own_length).unwrap_or_default()
    }
}

/// Reads the accounts with these paths, and with `first_use` makes those that are missing and may be made.
fn read(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    paths: &[&str],
    authority: Authority,
    first_use: Option<&FirstUse<'_>>,
) -> Result<Vec<Rc<Account>>, Failure> {
    let mut found = accounts::read(client, tenant_id, paths)?;
    if let Some(first_use) = first_use
        && paths.iter().any(|path| !found.contains_key(*path))
    {
        make_missing(client, tenant_id, paths, &mut found, authority, first_use)?;
    }
    let all = paths.iter().map(|path| found.remove(*path).ok_or_else(|| Refusal::no_such_account(path)));
    Ok(all.collect::<Result<_, Refusal>>()?)
}

/// Makes the missing accounts, parents first, in the order of the paths, so that two calls make the same ones in one order.
fn make_missing(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    paths: &[&str],
    found: &mut Found,
    authority: Authority,
    first_use: &FirstUse<'_>,
) -> Result<(), Failure> {
    // Before anything waits: most accounts that are missing are mistakes.
    for path in missing_of(paths, found) {
        check_first_use(client, tenant_id, path, found, first_use)?;
    }
    keep_tree(client, &[tenant_id.into()])?;
    // What was read before may have been moved since.
    *found = accounts::read(client, tenant_id, paths)?;
    for path in missing_of(paths, found) {
        let birth = check_first_use(client, tenant_id, path, found, first_use)?;
        let Birth { kind, role } = birth.ok_or_else(|| Refusal::no_such_account(path))?;
        let above: Vec<&Rc<Account>> = account::above(path).filter_map(|path| found.get(path)).collect();
        let parent = above.last().ok_or_else(|| Refusal::no_such_account(path))?;
        let above_ids: Vec<i64> = above.iter().map(|account| account.account_id).collect();
        access::require_authority(client, tenant_id, &above_ids, authority)?;
        above.iter().try_for_each(|account| account.check_active(first_use.now))?;
        let mut ancestor_ids = parent.ancestor_ids.clone();
        ancestor_ids.push(parent.account_id);
        let arguments = [
            tenant_id.into(),
            id::new_id()?.into(),
            path.into(),
            parent.account_id.into(),
            ancestor_ids.into(),
            kind.into(),
            role.into(),
            timestamp(first_use.now)?.into(),
        ];
        make_account(client, &arguments)?;
        found.extend(accounts::read(client, tenant_id, &[path])?);
    }
    Ok(())
}

/// Parents before children.
fn missing_of<'a>(paths: &[&'a str], found: &Found) -> Vec<&'a str> {
    let mut missing: Vec<&str> = paths.iter().copied().filter(|path| !found.contains_key(*path)).collect();
    missing.sort_unstable();
    missing
}

/// What a missing account would become; none where one above it is missing too and has to be made first.
fn check_first_use(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    path: &str,
    found: &Found,
    first_use: &FirstUse<'_>,
) -> Result<Option<Birth>, Failure> {
    let above: Vec<&Rc<Account>> = account::above(path).filter_map(|path| found.get(path)).collect();
    match quota::on_first_use(client, tenant_id, path, &above, first_use.told_role)? {
        None if above.len() == account::above(path).count() => Err(Refusal::no_such_account(path).into()),
        birth => Ok(birth),
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
