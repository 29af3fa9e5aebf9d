//! Tenants and accounts as a call finds them. A session keeps them until one changes; that there is none is never kept, so
//! those that are made need to be told to nobody.

use std::collections::HashMap;
use std::rc::Rc;

use pgrx::JsonB;
use pgrx::spi::SpiClient;
use serde_json::Value;

use crate::instant::Instant;
use crate::invalidation::{self, Topic};
use crate::ledger::Failure;
use crate::ledger::kept::Recent;
use crate::refusal::Refusal;
use crate::statement::{is_own, optional, optional_instant, required, statement};

statement! {
    read find_tenant(TEXTOID) =
    "SELECT tenant.tenant_id, tenant.currency, tenant.xmin
     FROM tokbudget.tenant WHERE tenant.name OPERATOR(pg_catalog.=) $1"
}

macro_rules! columns {
    () => {
        "SELECT account.account_id, account.path, account.status, account.status_reason, account.cost_center,
             account.unpriced, account.fallback_unit_prices, account.kind, account.labels OPERATOR(pg_catalog.->>) 'role',
             account.ancestor_ids, account.expires_at, account.xmin
         FROM tokbudget.account
         WHERE account.tenant_id OPERATOR(pg_catalog.=) $1 AND account.path OPERATOR(pg_catalog.="
    };
}

statement! {
    read row find_accounts(INT4OID, TEXTARRAYOID) = concat!(columns!(), ") ANY ($2)")
}

statement! {
    /// A session meets most accounts one by one, below others that it knows.
    read row find_account(INT4OID, TEXTOID) = concat!(columns!(), ") $2")
}

/// The tenant of a call.
#[derive(Clone)]
pub struct Tenant {
    pub tenant_id: i32,
    pub currency: Rc<str>,
}

/// One account of a chain.
pub struct Account {
    pub account_id: i64,
    pub path: String,
    pub kind: Option<String>,
    /// The label `role`, which quotas go by.
    pub role: Option<String>,
    /// From the root down to the parent.
    pub ancestor_ids: Vec<i64>,
    pub cost_center: Option<String>,
    /// What happens to usage without a price, where the account says so.
    pub unpriced: Option<String>,
    pub fallback_unit_prices: Option<Value>,
    status: String,
    status_reason: Option<String>,
    expires_at: Option<Instant>,
}

impl Account {
    pub fn check_active(&self, now: Instant) -> Result<(), Refusal> {
        if self.status != "active" {
            return Err(Refusal::inactive_account(&self.path, &self.status, self.status_reason.as_deref()));
        }
        match self.expires_at.filter(|expires_at| *expires_at <= now) {
            None => Ok(()),
            Some(expires_at) => Err(Refusal::expired_account(&self.path, expires_at)),
        }
    }
}

thread_local! {
    static TENANTS: Recent<String, Tenant> = Recent::default();
    static ACCOUNTS: Recent<String, Rc<Account>> = Recent::default();
}

/// The tenant whose root has this name.
pub fn tenant(client: &mut SpiClient<'_>, name: &str) -> Result<Option<Tenant>, Failure> {
    let usable = invalidation::usable_generation(Topic::Tree);
    if let Some(tenant) = usable.and_then(|generation| TENANTS.with(|kept| kept.find(generation, name))) {
        return Ok(Some(tenant));
    }
    let generation = invalidation::begin_reading(Topic::Tree);
    let Some(row) = find_tenant(client, &[name.into()])?.next() else { return Ok(None) };
    let currency: String = required(&row, 2)?;
    let tenant = Tenant { tenant_id: required(&row, 1)?, currency: currency.into() };
    let is_own = is_own(&row, 3)?;
    if let Some(generation) = generation.filter(|_| !is_own) {
        TENANTS.with(|kept| kept.keep(generation, name.to_string(), tenant.clone()));
    }
    Ok(Some(tenant))
}

/// Accounts by path.
pub type Found = HashMap<String, Rc<Account>>;

/// The accounts with these paths, all of one tenant, in their order: None if one of them is not kept.
pub fn kept(paths: &[&str]) -> Option<Vec<Rc<Account>>> {
    let generation = invalidation::usable_generation(Topic::Tree)?;
    ACCOUNTS.with(|kept| paths.iter().map(|path| kept.find(generation, *path)).collect())
}

/// Those of the accounts that there are, as far as possible out of what the session keeps.
pub fn find(client: &mut SpiClient<'_>, tenant_id: i32, paths: &[&str]) -> Result<Found, Failure> {
    let Some(generation) = invalidation::usable_generation(Topic::Tree) else { return read(client, tenant_id, paths) };
    let (mut found, mut missing) = (Found::with_capacity(paths.len()), Vec::new());
    for path in paths {
        match ACCOUNTS.with(|kept| kept.find(generation, *path)) {
            Some(account) => {
                found.insert(account.path.clone(), account);
            }
            None => missing.push(*path),
        }
    }
    found.extend(read(client, tenant_id, &missing)?);
    // One that is read now may have been moved since the others were.
    let is_below = |account: &Rc<Account>| {
        let parent = account.path.rsplit_once('/').and_then(|(parent, _)| found.get(parent));
        parent.is_none_or(|parent| account.ancestor_ids.last() == Some(&parent.account_id))
    };
    if found.values().all(is_below) { Ok(found) } else { read(client, tenant_id, paths) }
}

/// Reads those of the accounts that there are.
pub fn read(client: &mut SpiClient<'_>, tenant_id: i32, paths: &[&str]) -> Result<Found, Failure> {
    let generation = invalidation::begin_reading(Topic::Tree);
    let mut found = Found::with_capacity(paths.len());
    let rows = match paths {
        [] => return Ok(found),
        [path] => find_account(client, &[tenant_id.into(), (*path).into()])?,
        paths => find_accounts(client, &[tenant_id.into(), paths.to_vec().into()])?,
    };
    for row in rows {
        let account = Rc::new(Account {
            account_id: required(&row, 1)?,
            path: required(&row, 2)?,
            status: required(&row, 3)?,
            status_reason: optional(&row, 4)?,
            cost_center: optional(&row, 5)?,
            unpriced: optional(&row, 6)?,
            fallback_unit_prices: optional::<JsonB>(&row, 7)?.map(|prices| prices.0),
            kind: optional(&row, 8)?,
            role: optional(&row, 9)?,
            ancestor_ids: required(&row, 10)?,
            expires_at: optional_instant(&row, 11)?,
        });
        let is_own = is_own(&row, 12)?;
        if let Some(generation) = generation.filter(|_| !is_own) {
            ACCOUNTS.with(|kept| kept.keep(generation, account.path.clone(), Rc::clone(&account)));
        }
        found.insert(account.path.clone(), account);
    }
    Ok(found)
}
