//! Who may do what. A privilege on an account holds for everything below it, for the role that it was granted to and for the
//! roles that have the privileges of that role. A session keeps the grants of a tenant until one changes; memberships are
//! PostgreSQL's own, asked at every call.
//!
//! The role that counts is the one of the session, or the one that it has chosen with SET ROLE: a function that runs with the
//! rights of its owner lends nobody its owner's accounts.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};
use pgrx::spi::SpiClient;
use pgrx::{FromDatum, Uuid};
use serde_json::json;

use crate::invalidation::Topic;
use crate::ledger::Failure;
use crate::ledger::kept::Kept;
use crate::privilege::Privilege;
use crate::refusal::{Code, Refusal};
use crate::statement::{required, statement};

const GRANTS: &CStr =
    c"SELECT access.account_id, access.privilege, access.role, access.role_oid, access.system_identifier
     FROM tokbudget.access WHERE access.tenant_id OPERATOR(pg_catalog.=) $1";

statement! {
    read find_path(INT4OID, INT8OID) =
    "SELECT account.path FROM tokbudget.account
     WHERE account.tenant_id OPERATOR(pg_catalog.=) $1 AND account.account_id OPERATOR(pg_catalog.=) $2"
}

/// On whose word a call draws on an account.
#[derive(Clone, Copy)]
pub enum Authority {
    /// The present role has the privilege on it.
    Role(Privilege),
    /// The guard of a table, whoever changes the table: its rows may name the account that it is for (tenant and account) and
    /// what is below it, or every account.
    Guard(Option<(i32, i64)>),
}

impl From<Privilege> for Authority {
    fn from(privilege: Privilege) -> Authority {
        Authority::Role(privilege)
    }
}

/// Something granted.
struct Grant {
    account_id: i64,
    privilege: Privilege,
    holder: Holder,
}

/// The role of a grant. Its oid follows it when it is renamed, but means nothing in another cluster, where a dump may have
/// been restored: there it is the role of that name.
pub struct Holder {
    name: CString,
    oid: Oid,
    system_identifier: i64,
}

impl Holder {
    pub fn new(name: &str, oid: Oid, system_identifier: i64) -> Holder {
        // A name with a zero byte is no role's; neither is the empty one.
        Holder { name: CString::new(name).unwrap_or_default(), oid, system_identifier }
    }

    /// None where there is no such role; the oid of one that was dropped stays what it was.
    pub fn resolve(&self) -> Option<Oid> {
        if self.system_identifier == system_identifier() {
            return Some(self.oid);
        }
        // SAFETY: a look-up in the system cache; the name outlives it.
        let oid = unsafe { pg_sys::get_role_oid(self.name.as_ptr(), true) };
        (oid != Oid::INVALID).then_some(oid)
    }

    /// Whether `role` is the holder or has its privileges.
    fn is_held_by(&self, role: Oid) -> bool {
        // SAFETY: PostgreSQL keeps the memberships and follows their changes; an unknown oid is nobody's.
        self.resolve().is_some_and(|holder| unsafe { pg_sys::has_privs_of_role(role, holder) })
    }
}

/// The number that no other cluster has.
pub fn system_identifier() -> i64 {
    // SAFETY: a field of shared memory that never changes.
    unsafe { pg_sys::GetSystemIdentifier() }.cast_signed()
}

/// The role of the session, or the one that it has chosen with SET ROLE.
pub fn present_role() -> Oid {
    // SAFETY: a plain variable of the process.
    unsafe { pg_sys::GetOuterUserId() }
}

/// Whether the present role passes every check: a superuser, or one with the privileges of the extension's owner, who owns
/// its schema.
pub fn is_owner() -> bool {
    // SAFETY: look-ups in the system caches; the name outlives them.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"tokbudget".as_ptr(), true);
        schema != Oid::INVALID && pg_sys::pg_namespace_ownercheck(schema, present_role())
    }
}

fn present_role_name() -> Option<String> {
    // SAFETY: a copy of the name, or null when the role is gone.
    let name = unsafe { pg_sys::GetUserNameFromId(present_role(), true) };
    // SAFETY: what is not null is a string that ends.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

thread_local! {
    static KEPT: Kept<Vec<Grant>> = Kept::new(Topic::Access);
}

fn find(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Rc<Vec<Grant>>, Failure> {
    KEPT.with(|kept| kept.find(tenant_id, || read(client, tenant_id)))
}

/// Reads what has committed until now, also in a transaction that reads everything else with an old snapshot: there too,
/// what was taken back is gone, as it is with PostgreSQL's own privileges.
fn read(_client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Vec<Grant>, Failure> {
    const CHANGED: Failure = Failure::Internal("tokbudget.access was changed by hand");
    let mut grants = Vec::new();
    // SAFETY: the client stands for an open SPI connection, the plan was prepared for one integer, and the rows are read
    // before anything else runs. An error ends the transaction, which gives the snapshot up.
    unsafe {
        let plan = grants_plan()?;
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let mut arguments = [pg_sys::Datum::from(tenant_id)];
        let status = pg_sys::SPI_execute_snapshot(
            plan,
            arguments.as_mut_ptr(),
            std::ptr::null(),
            snapshot,
            std::ptr::null_mut(),
            true,
            false,
            0,
        );
        pg_sys::UnregisterSnapshot(snapshot);
        let table = pg_sys::SPI_tuptable;
        if status != pg_sys::SPI_OK_SELECT as i32 || table.is_null() {
            return Err(Failure::Internal("the grants of a tenant cannot be read"));
        }
        for row in std::slice::from_raw_parts((*table).vals, (*table).numvals as usize) {
            let column = |ordinal| {
                let mut is_null = false;
                (pg_sys::SPI_getbinval(*row, (*table).tupdesc, ordinal, &raw mut is_null), is_null)
            };
            let text = |(datum, is_null)| String::from_datum(datum, is_null).ok_or(CHANGED);
            let number = |(datum, is_null)| i64::from_datum(datum, is_null).ok_or(CHANGED);
            let (role_oid, is_null) = column(4);
            grants.push(Grant {
                account_id: number(column(1))?,
                privilege: Privilege::from_name(&text(column(2))?).ok_or(CHANGED)?,
                holder: Holder::new(
                    &text(column(3))?,
                    Oid::from_datum(role_oid, is_null).ok_or(CHANGED)?,
                    number(column(5))?,
                ),
            });
        }
        pg_sys::SPI_freetuptable(table);
    }
    Ok(grants)
}

/// The plan of [`GRANTS`], prepared once per session.
///
/// # Safety
/// SPI must be connected.
unsafe fn grants_plan() -> Result<pg_sys::SPIPlanPtr, Failure> {
    thread_local! {
        static PLAN: Cell<pg_sys::SPIPlanPtr> = const { Cell::new(std::ptr::null_mut()) };
    }
    if PLAN.get().is_null() {
        let mut types = [pg_sys::INT4OID];
        // SAFETY: as above; a plan that is kept lives as long as the session.
        unsafe {
            let plan = pg_sys::SPI_prepare(GRANTS.as_ptr(), 1, types.as_mut_ptr());
            if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
                return Err(Failure::Internal("the grants of a tenant cannot be read"));
            }
            PLAN.set(plan);
        }
    }
    Ok(PLAN.get())
}

fn is_permitted(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_ids: &[i64],
    wanted: Privilege,
) -> Result<bool, Failure> {
    if is_owner() {
        return Ok(true);
    }
    let role = present_role();
    Ok(find(client, tenant_id)?.iter().any(|grant| {
        grant.privilege.implies(wanted) && account_ids.contains(&grant.account_id) && grant.holder.is_held_by(role)
    }))
}

/// Refuses unless the present role has the privilege on the last of `account_ids`, which come from the root down, or on one
/// above it.
pub fn require(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_ids: &[i64],
    wanted: Privilege,
) -> Result<(), Failure> {
    if is_permitted(client, tenant_id, account_ids, wanted)? {
        return Ok(());
    }
    let path = path_of(client, tenant_id, account_ids)?;
    Err(Refusal::new(
        Code::NotPermitted,
        format!("permission denied for account \"{path}\""),
        json!({"account": path, "privilege": wanted.as_str(), "role": present_role_name()}),
        "Whoever administers the account gives a role access with tb_grant_access(role, account, privilege).",
    )
    .into())
}

/// Refuses unless the authority covers the last of `account_ids`, which come from the root down.
pub fn require_authority(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_ids: &[i64],
    authority: Authority,
) -> Result<(), Failure> {
    let under = match authority {
        Authority::Role(privilege) => return require(client, tenant_id, account_ids, privilege),
        Authority::Guard(under) => under,
    };
    if under.is_none_or(|(tenant, account_id)| tenant == tenant_id && account_ids.contains(&account_id)) {
        return Ok(());
    }
    let path = path_of(client, tenant_id, account_ids)?;
    Err(Refusal::new(
        Code::NotPermitted,
        format!("account \"{path}\" is outside of what the guard is for"),
        json!({"account": path}),
        "A row names the account that was passed to tb_guard as under, or one below it.",
    )
    .into())
}

fn path_of(client: &mut SpiClient<'_>, tenant_id: i32, account_ids: &[i64]) -> Result<String, Failure> {
    match find_path(client, &[tenant_id.into(), account_ids.last().copied().into()])?.next() {
        Some(row) => required(&row, 1),
        None => Ok(String::new()),
    }
}

/// [`require`] for what is done to a reservation, whose account the caller is not told.
pub fn require_for_reservation(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_ids: &[i64],
    reservation_id: Uuid,
    wanted: Privilege,
) -> Result<(), Failure> {
    if is_permitted(client, tenant_id, account_ids, wanted)? {
        return Ok(());
    }
    Err(Refusal::new(
        Code::NotPermitted,
        "permission denied for reservation",
        json!({"reservation": reservation_id.to_string(), "privilege": wanted.as_str(), "role": present_role_name()}),
        "A reservation is settled by a role that may spend on its account; tb_grant_access(role, account, privilege) makes it one.",
    )
    .into())
}
