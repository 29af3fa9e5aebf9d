//! JSON on its way into a column. What the ledger writes at every call is mostly small and flat, and is put into PostgreSQL's
//! form right here, which costs a fraction of printing it as text for PostgreSQL to parse.

use pgrx::{IntoDatum, JsonB, pg_sys};
use serde_json::Value;

/// A value of type jsonb.
pub struct Json<'a>(pub &'a Value);

impl IntoDatum for Json<'_> {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let Some(encoded) = encode(self.0) else { return JsonB(self.0.clone()).into_datum() };
        // SAFETY: palloc gives as many bytes or raises an error; they belong to the present memory context, as every datum.
        unsafe {
            let datum = pg_sys::palloc(encoded.len()).cast::<u8>();
            std::ptr::copy_nonoverlapping(encoded.as_ptr(), datum, encoded.len());
            Some(pg_sys::Datum::from(datum))
        }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

/// A member has an entry for its name and one for its value; up to this many of them only the first says where it ends, the
/// others how long they are.
const MEMBERS_MAX: usize = 15;

const OBJECT: u32 = 0x2000_0000;
const ENTRY_TEXT: u32 = 0;
const ENTRY_NUMBER: u32 = 0x1000_0000;
const ENTRY_FALSE: u32 = 0x2000_0000;
const ENTRY_TRUE: u32 = 0x3000_0000;
const ENTRY_NULL: u32 = 0x4000_0000;
const ENTRY_HAS_END: u32 = 0x8000_0000;

/// The bytes of a jsonb, as `jsonb.h` and `jsonb_util.c` of PostgreSQL lay them out; none for what is not a small object of
/// texts, whole numbers, booleans and nulls.
fn encode(value: &Value) -> Option<Vec<u8>> {
    let object = value.as_object().filter(|object| object.len() <= MEMBERS_MAX && cfg!(target_endian = "little"))?;
    let mut members: Vec<(&String, &Value)> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| (name.len(), name.as_bytes()));
    // The length of the whole, what kind of container it is, and the entries.
    let data_at = 8 + 8 * members.len();
    let mut bytes = vec![0; data_at];
    let mut entries = Vec::with_capacity(2 * members.len());
    for (name, _) in &members {
        entries.push(text(&mut bytes, name)?);
    }
    for (_, value) in &members {
        entries.push(match value {
            Value::Null => ENTRY_NULL,
            Value::Bool(false) => ENTRY_FALSE,
            Value::Bool(true) => ENTRY_TRUE,
            Value::String(value) => text(&mut bytes, value)?,
            Value::Number(number) => whole_number(&mut bytes, number.as_i64()?)?,
            Value::Array(_) | Value::Object(_) => return None,
        });
    }
    // For the first entry the end of it and its length are the same.
    if let Some(first) = entries.first_mut() {
        *first |= ENTRY_HAS_END;
    }
    let container = OBJECT | u32::try_from(members.len()).ok()?;
    let head = [u32::try_from(bytes.len()).ok()? << 2, container].into_iter().chain(entries);
    for (place, word) in bytes.chunks_exact_mut(4).zip(head) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Some(bytes)
}

/// How long a text may be here: far from the 28 bits that there are for a length.
const TEXT_BYTES_MAX: usize = 1 << 16;

fn text(bytes: &mut Vec<u8>, text: &str) -> Option<u32> {
    // PostgreSQL refuses a zero byte, in its own words.
    if text.len() > TEXT_BYTES_MAX || text.contains('\0') {
        return None;
    }
    bytes.extend_from_slice(text.as_bytes());
    Some(ENTRY_TEXT | u32::try_from(text.len()).ok()?)
}

/// A numeric in its short form: digits to the base of 10000, without zeros at the end.
fn whole_number(bytes: &mut Vec<u8>, number: i64) -> Option<u32> {
    const BASE: u64 = 10_000;
    const SHORT: u16 = 0x8000;
    const NEGATIVE: u16 = 0x2000;
    let mut digits = Vec::with_capacity(5);
    let mut rest = number.unsigned_abs();
    while rest > 0 {
        digits.push(u16::try_from(rest % BASE).ok()?);
        rest /= BASE;
    }
    let weight = u16::try_from(digits.len().saturating_sub(1)).ok()?;
    let used = digits.iter().skip_while(|digit| **digit == 0).count();
    let start = bytes.len();
    bytes.resize(start.next_multiple_of(4), 0);
    let length = u32::try_from(6 + 2 * used).ok()?;
    bytes.extend_from_slice(&(length << 2).to_le_bytes());
    bytes.extend_from_slice(&(SHORT | if number < 0 { NEGATIVE } else { 0 } | weight).to_le_bytes());
    for digit in digits.iter().rev().take(used) {
        bytes.extend_from_slice(&digit.to_le_bytes());
    }
    Some(ENTRY_NUMBER | u32::try_from(bytes.len() - start).ok()?)
}
