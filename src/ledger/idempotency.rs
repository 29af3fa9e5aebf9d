//! Idempotency keys: the same call again gives the first answer, another payload under the same key is refused.

use pgrx::JsonB;
use pgrx::spi::SpiClient;
use serde::Serialize;
use serde_json::{Value, json};

use crate::instant::Instant;
use crate::ledger::Failure;
use crate::refusal::{Code, Refusal};
use crate::statement::{optional, required, statement, timestamp};

statement! {
    /// A concurrent duplicate waits here until the first call's transaction has ended.
    write claim_key(INT4OID, TEXTOID, BYTEAOID, TIMESTAMPTZOID) =
    "INSERT INTO tokbudget.idempotency (tenant_id, idempotency_key, payload_hash, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id, idempotency_key) DO NOTHING RETURNING true"
}

statement! {
    read find_key(INT4OID, TEXTOID) =
    "SELECT idempotency.payload_hash, idempotency.answer FROM tokbudget.idempotency
     WHERE idempotency.tenant_id OPERATOR(pg_catalog.=) $1 AND idempotency.idempotency_key OPERATOR(pg_catalog.=) $2"
}

statement! {
    write store_answer(INT4OID, TEXTOID, JSONBOID) =
    "UPDATE tokbudget.idempotency SET answer = $3
     WHERE idempotency.tenant_id OPERATOR(pg_catalog.=) $1 AND idempotency.idempotency_key OPERATOR(pg_catalog.=) $2"
}

statement! {
    write drop_key(INT4OID, TEXTOID) =
    "DELETE FROM tokbudget.idempotency
     WHERE idempotency.tenant_id OPERATOR(pg_catalog.=) $1 AND idempotency.idempotency_key OPERATOR(pg_catalog.=) $2"
}

/// Longest key in bytes; it is an index key.
const KEY_BYTES_MAX: usize = 255;

/// A key as it may be used.
pub fn check_key(key: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Refusal::invalid_argument(
            "idempotency_key",
            format!("a key has 1 to {KEY_BYTES_MAX} bytes"),
            "Use a UUID or the id of the job, the same for every try of the same call.",
        ));
    }
    Ok(())
}

/// Takes the key for this call, or gives the answer that the first call with it got.
pub fn claim(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    key: &str,
    payload_hash: &[u8],
    now: Instant,
) -> Result<Option<Value>, Failure> {
    let arguments = [tenant_id.into(), key.into(), payload_hash.into(), timestamp(now)?.into()];
    if !claim_key(client, &arguments)?.is_empty() {
        return Ok(None);
    }
    let row = find_key(client, &[tenant_id.into(), key.into()])?
        .next()
        .ok_or(Failure::Internal("an idempotency key disappeared while it was read"))?;
    let first_hash: Vec<u8> = required(&row, 1)?;
    if first_hash != payload_hash {
        return Err(Refusal::new(
            Code::IdempotencyKeyReused,
            "idempotency key reused with another payload",
            json!({"idempotency_key": key}),
            "Use the same arguments for a retry, and a new key for a new call.",
        )
        .into());
    }
    let answer: JsonB = optional(&row, 2)?.ok_or(Failure::Internal("an idempotency key has no answer"))?;
    Ok(Some(answer.0))
}

/// Keeps the answer for the retries to come.
pub fn answer(client: &mut SpiClient<'_>, tenant_id: i32, key: &str, answer: &impl Serialize) -> Result<(), Failure> {
    let answer = serde_json::to_value(answer).map_err(|_| Failure::Internal("an answer cannot be kept"))?;
    store_answer(client, &[tenant_id.into(), key.into(), JsonB(answer).into()])?;
    Ok(())
}

/// Gives the key back, so that a refused call does not wedge its retry.
pub fn forget(client: &mut SpiClient<'_>, tenant_id: i32, key: &str) -> Result<(), Failure> {
    drop_key(client, &[tenant_id.into(), key.into()])?;
    Ok(())
}
