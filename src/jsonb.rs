//! JSON on its way into a column. What the ledger writes at every call is mostly small, and is put into PostgreSQL's form
//! right here, which costs a fraction of printing it as text for PostgreSQL to parse.

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

const OBJECT: u32 = 0x2000_0000;
const ARRAY: u32 = 0x4000_0000;
const ENTRY_TEXT: u32 = 0;
const ENTRY_NUMBER: u32 = 0x1000_0000;
const ENTRY_FALSE: u32 = 0x2000_0000;
const ENTRY_TRUE: u32 = 0x3000_0000;
const ENTRY_NULL: u32 = 0x4000_0000;
const ENTRY_CONTAINER: u32 = 0x5000_0000;
const ENTRY_TYPE: u32 = 0x7000_0000;
const ENTRY_LENGTH: u32 = 0x0fff_ffff;
/// The entry says where its value ends, and not how long it is.
const ENTRY_HAS_END: u32 = 0x8000_0000;
/// Every so many entries there is one that says where its value ends.
const STRIDE: usize = 32;
/// Deeper and longer values go the long way; what they are made of stays far within the bits that there are for it.
const DEPTH_MAX: usize = 8;
const VALUES_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 4096;

/// The bytes of a jsonb, as `jsonb.h` and `jsonb_util.c` of PostgreSQL lay them out; none for what is not a small object.
fn encode(value: &Value) -> Option<Vec<u8>> {
    if !value.is_object() || cfg!(target_endian = "big") {
        return None;
    }
    // Most of what comes here fits in.
    let mut bytes = Vec::with_capacity(512);
    bytes.resize(4, 0);
    encode_value(&mut bytes, value, 0)?;
    let length = u32::try_from(bytes.len()).ok()? << 2;
    put(&mut bytes, 0, length)?;
    Some(bytes)
}

fn put(bytes: &mut [u8], at: usize, word: u32) -> Option<()> {
    bytes.get_mut(at..at + 4)?.copy_from_slice(&word.to_le_bytes());
    Some(())
}

/// Adds a value and returns its entry, with its length.
fn encode_value(bytes: &mut Vec<u8>, value: &Value, depth: usize) -> Option<u32> {
    match value {
        Value::Null => Some(ENTRY_NULL),
        Value::Bool(false) => Some(ENTRY_FALSE),
        Value::Bool(true) => Some(ENTRY_TRUE),
        Value::String(text) => encode_text(bytes, text),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => encode_whole(bytes, whole),
            None => encode_number(bytes, &number.to_string()),
        },
        Value::Array(values) => {
            let encoders = values.iter().map(Part::Value);
            encode_container(bytes, ARRAY, values.len(), encoders, values.len(), depth)
        }
        Value::Object(object) => {
            let mut members: Vec<(&String, &Value)> = object.iter().collect();
            members.sort_unstable_by_key(|(name, _)| (name.len(), name.as_bytes()));
            let names = members.iter().map(|(name, _)| Part::Name(name));
            let values = members.iter().map(|(_, value)| Part::Value(value));
            encode_container(bytes, OBJECT, members.len(), names.chain(values), 2 * members.len(), depth)
        }
    }
}

enum Part<'a> {
    Name(&'a str),
    Value(&'a Value),
}

fn encode_container<'a>(
    bytes: &mut Vec<u8>,
    kind: u32,
    count: usize,
    parts: impl Iterator<Item = Part<'a>>,
    entries: usize,
    depth: usize,
) -> Option<u32> {
    if depth >= DEPTH_MAX || count > VALUES_MAX {
        return None;
    }
    let start = bytes.len();
    let head = start.next_multiple_of(4);
    bytes.resize(head + 4 + 4 * entries, 0);
    put(bytes, head, kind | u32::try_from(count).ok()?)?;
    let mut end = 0;
    for (index, part) in parts.enumerate() {
        let entry = match part {
            Part::Name(name) => encode_text(bytes, name)?,
            Part::Value(value) => encode_value(bytes, value, depth + 1)?,
        };
        end += entry & ENTRY_LENGTH;
        let entry = if index % STRIDE == 0 { entry & ENTRY_TYPE | end | ENTRY_HAS_END } else { entry };
        put(bytes, head + 4 + 4 * index, entry)?;
    }
    Some(ENTRY_CONTAINER | u32::try_from(bytes.len() - start).ok()?)
}

fn encode_text(bytes: &mut Vec<u8>, text: &str) -> Option<u32> {
    // PostgreSQL refuses a zero byte, in its own words.
    if text.len() > TEXT_BYTES_MAX || text.contains('\0') {
        return None;
    }
    bytes.extend_from_slice(text.as_bytes());
    Some(ENTRY_TEXT | u32::try_from(text.len()).ok()?)
}

/// The digits of any bigint to the base of 10000.
const WHOLE_DIGITS: usize = 5;

fn encode_whole(bytes: &mut Vec<u8>, whole: i64) -> Option<u32> {
    let mut rest = whole.unsigned_abs();
    let mut digits = [0; WHOLE_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = u16::try_from(rest % 10_000).ok()?;
        rest /= 10_000;
    }
    encode_numeric(bytes, whole < 0, &digits, WHOLE_DIGITS as i16 - 1, 0)
}

fn encode_number(bytes: &mut Vec<u8>, decimal: &str) -> Option<u32> {
    const SCALE_MAX: usize = 63;
    const WHOLE_MAX: usize = 200;
    let (is_negative, unsigned) = decimal.strip_prefix('-').map_or((false, decimal), |unsigned| (true, unsigned));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_plain = whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit());
    if !is_plain || whole.is_empty() || whole.len() > WHOLE_MAX || fraction.len() > SCALE_MAX {
        return None;
    }
    let mut digits: Vec<u16> =
        whole.as_bytes().rchunks(4).rev().filter_map(|group| digit(group, group.len())).collect();
    let weight = i16::try_from(digits.len()).ok()? - 1;
    digits.extend(fraction.as_bytes().chunks(4).filter_map(|group| digit(group, 4)));
    encode_numeric(bytes, is_negative, &digits, weight, u16::try_from(fraction.len()).ok()?)
}

/// A numeric in its short form: digits to the base of 10000, without zeros at either end.
fn encode_numeric(bytes: &mut Vec<u8>, is_negative: bool, digits: &[u16], mut weight: i16, scale: u16) -> Option<u32> {
    const SHORT: u16 = 0x8000;
    const NEGATIVE: u16 = 0x2000;
    const WEIGHT_BITS: i16 = 0x7f;
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    let trailing = digits.iter().rev().take_while(|digit| **digit == 0).count();
    weight -= i16::try_from(leading).ok()?;
    let digits = digits.get(leading..digits.len() - trailing).unwrap_or_default();
    let is_negative = is_negative && !digits.is_empty();
    // Seven bits in two's complement, which is what a sign beside six bits comes to.
    let weight = if digits.is_empty() { 0 } else { (weight & WEIGHT_BITS).cast_unsigned() };
    let sign = if is_negative { NEGATIVE } else { 0 };
    let start = bytes.len();
    bytes.resize(start.next_multiple_of(4), 0);
    let length = u32::try_from(6 + 2 * digits.len()).ok()?;
    bytes.extend_from_slice(&(length << 2).to_le_bytes());
    bytes.extend_from_slice(&(SHORT | sign | scale << 7 | weight).to_le_bytes());
    for digit in digits {
        bytes.extend_from_slice(&digit.to_le_bytes());
    }
    Some(ENTRY_NUMBER | u32::try_from(bytes.len() - start).ok()?)
}

/// Up to four decimal digits, of which those that are missing at the end are zeros.
fn digit(group: &[u8], length: usize) -> Option<u16> {
    let given: u16 = std::str::from_utf8(group).ok()?.parse().ok()?;
    Some((group.len()..length).fold(given, |digit, _| digit * 10))
}
