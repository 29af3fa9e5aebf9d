//! Idempotency keys: the same call again gives the first answer, another payload under the same key is refused.

use std::collections::HashSet;

use pgrx::JsonB;
use pgrx::spi::SpiClient;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::Failure;
use crate::refusal::{Code, Refusal};
use crate::statement::{optional, required, statement, timestamp};

statement! {
    /// A concurrent duplicate waits here until the first call's transaction has ended.
    write row claim_key(INT4OID, TEXTOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID) =
    "INSERT INTO tokbudget.idempotency (tenant_id, operation, idempotency_key, payload_hash, created_at)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, operation, idempotency_key) DO NOTHING RETURNING true"
}

statement! {
    read row find_key(INT4OID, TEXTOID, TEXTOID) =
    "SELECT idempotency.payload_hash, idempotency.answer FROM tokbudget.idempotency
     WHERE idempotency.tenant_id OPERATOR(pg_catalog.=) $1 AND idempotency.operation OPERATOR(pg_catalog.=) $2
         AND idempotency.idempotency_key OPERATOR(pg_catalog.=) $3"
}

statement! {
    write row store_answer(INT4OID, TEXTOID, TEXTOID, JSONBOID) =
    "UPDATE tokbudget.idempotency SET answer = $4
     WHERE idempotency.tenant_id OPERATOR(pg_catalog.=) $1 AND idempotency.operation OPERATOR(pg_catalog.=) $2
         AND idempotency.idempotency_key OPERATOR(pg_catalog.=) $3"
}

statement! {
    write row drop_key(INT4OID, TEXTOID, TEXTOID) =
    "DELETE FROM tokbudget.idempotency
     WHERE idempotency.tenant_id OPERATOR(pg_catalog.=) $1 AND idempotency.operation OPERATOR(pg_catalog.=) $2
         AND idempotency.idempotency_key OPERATOR(pg_catalog.=) $3"
}

/// Longest key in bytes; it is an index key.
const KEY_BYTES_MAX: usize = 255;

/// What a key is for: a job may use one key for its reservation and for its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Reserve,
    Commit,
    Release,
    Charge,
    Adjust,
    Refund,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Operation::Reserve => "reserve",
            Operation::Commit => "commit",
            Operation::Release => "release",
            Operation::Charge => "charge",
            Operation::Adjust => "adjust",
            Operation::Refund => "refund",
        }
    }
}

/// A key that a caller gave for a call.
pub struct Key {
    tenant_id: i32,
    operation: Operation,
    key: String,
    payload_hash: Vec<u8>,
}

impl Key {
    /// `used` are the keys of the calls that came in the same batch before.
    pub fn new(
        tenant_id: i32,
        operation: Operation,
        key: &str,
        payload: &Value,
        used: &mut HashSet<String>,
    ) -> Result<Key, Refusal> {
        check_key(key)?;
        if !used.insert(key.to_string()) {
            let why = "the same key twice in one batch";
            return Err(Refusal::invalid_argument(
                "idempotency_key",
                why,
                "Give each call of a batch a key of its own.",
            ));
        }
        let payload_hash = Sha256::digest(payload.to_string()).to_vec();
        Ok(Key { tenant_id, operation, key: key.to_string(), payload_hash })
    }
}

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
pub fn claim<T: DeserializeOwned>(client: &mut SpiClient<'_>, key: &Key, now: Instant) -> Result<Option<T>, Failure> {
    let Key { tenant_id, operation, key, payload_hash } = key;
    let (tenant_id, operation) = (*tenant_id, operation.name());
    let arguments =
        [tenant_id.into(), operation.into(), key.clone().into(), payload_hash.clone().into(), timestamp(now)?.into()];
    // Between the two statements upkeep may delete the key, because it is too old: then it is free.
    let row = loop {
        if !claim_key(client, &arguments)?.is_empty() {
            return Ok(None);
        }
        if let Some(row) = find_key(client, &[tenant_id.into(), operation.into(), key.clone().into()])?.next() {
            break row;
        }
    };
    let first_hash: Vec<u8> = required(&row, 1)?;
    if first_hash != *payload_hash {
        return Err(Refusal::new(
            Code::IdempotencyKeyReused,
            "idempotency key reused with another payload",
            json!({"idempotency_key": key}),
            "Use the same arguments for a retry, and a new key for a new call.",
        )
        .into());
    }
    let answer: JsonB = optional(&row, 2)?.ok_or(Failure::Internal("an idempotency key has no answer"))?;
    let answer = serde_json::from_value(answer.0);
    Ok(Some(answer.map_err(|_| Failure::Internal("the answer kept for an idempotency key is unreadable"))?))
}

/// Keeps the answer for the retries to come.
pub fn answer(client: &mut SpiClient<'_>, key: &Key, answer: &impl Serialize) -> Result<(), Failure> {
    let Key { tenant_id, operation, key, .. } = key;
    let answer = serde_json::to_value(answer).map_err(|_| Failure::Internal("an answer cannot be kept"))?;
    store_answer(client, &[(*tenant_id).into(), operation.name().into(), key.clone().into(), Json(&answer).into()])?;
    Ok(())
}

/// Gives the key back, so that a refused call does not wedge its retry.
pub fn forget(client: &mut SpiClient<'_>, key: &Key) -> Result<(), Failure> {
    let Key { tenant_id, operation, key, .. } = key;
    drop_key(client, &[(*tenant_id).into(), operation.name().into(), key.clone().into()])?;
    Ok(())
}

/// Runs a call once per key: again it gives the first answer, and a refusal gives the key back.
pub fn once<T: Serialize + DeserializeOwned>(
    client: &mut SpiClient<'_>,
    key: Option<&Key>,
    now: Instant,
    call: impl FnOnce(&mut SpiClient<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Some(key) = key else { return call(client) };
    if let Some(first) = claim(client, key, now)? {
        return Ok(first);
    }
    match call(client) {
        Ok(value) => {
            answer(client, key, &value)?;
            Ok(value)
        }
        Err(failure) => {
            if matches!(failure, Failure::Refused(_)) {
                forget(client, key)?;
            }
            Err(failure)
        }
    }
}
