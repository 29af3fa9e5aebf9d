//! Calibration factors as the ledger looks them up. A session keeps those of a tenant until one changes.

use std::rc::Rc;

use pgrx::spi::SpiClient;

use crate::invalidation::Topic;
use crate::ledger::Failure;
use crate::ledger::kept::Kept;
use crate::report::calibration::{Calibration, Factor};
use crate::statement::{instant, optional, required, statement};

statement! {
    read read_calibrations(INT4OID) =
    "SELECT calibration.provider, calibration.model, calibration.encoding, calibration.effective_at,
         (calibration.factor OPERATOR(pg_catalog.*) 1000000::pg_catalog.numeric)::pg_catalog.int8
     FROM tokbudget.calibration WHERE calibration.tenant_id OPERATOR(pg_catalog.=) $1"
}

thread_local! {
    static KEPT: Kept<Vec<Calibration>> = Kept::new(Topic::Book);
}

/// All versions of a tenant.
pub fn find(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Rc<Vec<Calibration>>, Failure> {
    KEPT.with(|kept| kept.find(tenant_id, || read(client, tenant_id)))
}

fn read(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Vec<Calibration>, Failure> {
    let read = |row| {
        let millionths: Option<i64> = optional(&row, 5)?;
        Ok(Calibration {
            provider: required(&row, 1)?,
            model: required(&row, 2)?,
            encoding: required(&row, 3)?,
            effective_at: instant(&row, 4)?,
            factor: millionths.and_then(Factor::from_millionths),
        })
    };
    read_calibrations(client, &[tenant_id.into()])?.map(read).collect()
}
