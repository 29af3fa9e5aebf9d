//! Identifiers made without a sequence, so that no meaning hangs on a counter that all tenants share.
//!
//! Reservations and entries carry a UUIDv8 (RFC 9562, section 5.8) that holds the time, the tenant and random bits: a
//! commit knows its tenant from the id alone, without a second index, and ids are ordered by time for the b-tree's sake.
//!
//! ```text
//!  bits 127..80  upper 48 of 52 bits of microseconds since 1970-01-01 (enough until 2112)
//!  bits  79..76  version, 8
//!  bits  75..72  lower 4 bits of the microseconds
//!  bits  71..64  random
//!  bits  63..62  variant, 0b10
//!  bits  61..31  tenant, 31 bits
//!  bits  30..0   random
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use crate::instant::Instant;

const TIME_BITS: u32 = 52;
const TENANT_MASK: u128 = 0x7fff_ffff;

/// Builds the id of a reservation or entry of `tenant_id` (positive) made at `now_us`, from 39 random bits.
fn compose(tenant_id: i32, now_us: u64, random: u64) -> u128 {
    let time = u128::from(now_us) & ((1 << TIME_BITS) - 1);
    let tenant = u128::from(tenant_id.unsigned_abs()) & TENANT_MASK;
    let random = u128::from(random);
    (time >> 4) << 80
        | 8 << 76
        | (time & 0xf) << 72
        | ((random >> 31) & 0xff) << 64
        | 0b10 << 62
        | tenant << 31
        | (random & 0x7fff_ffff)
}

/// The tenant that an id made by [`Uuids`] belongs to; `None` for a UUID of any other making.
pub fn tenant_of(uuid: [u8; 16]) -> Option<i32> {
    let value = u128::from_be_bytes(uuid);
    let is_ours = (value >> 76) & 0xf == 8 && (value >> 62) & 0b11 == 0b10;
    let tenant_id = i32::try_from((value >> 31) & TENANT_MASK).ok()?;
    (is_ours && tenant_id > 0).then_some(tenant_id)
}

/// New ids for reservations or entries of `tenant_id` that are recorded at `now`, all different. An entry's id so tells
/// when it was recorded, which finds it in its partition.
pub struct Uuids {
    tenant_id: i32,
    now_us: u64,
    random: u64,
}

impl Uuids {
    /// The system's random source failing is the only error. An instant before 1970 counts as 1970.
    pub fn new(tenant_id: i32, now: Instant) -> Result<Self, getrandom::Error> {
        Ok(Uuids { tenant_id, now_us: u64::try_from(now.0).unwrap_or(0), random: getrandom::u64()? })
    }

    pub fn make(&mut self) -> [u8; 16] {
        self.random = self.random.wrapping_add(1);
        compose(self.tenant_id, self.now_us, self.random).to_be_bytes()
    }
}

/// Ids as text within what is kept as JSON.
pub mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(id: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(*id)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(u128::to_be_bytes).map_err(serde::de::Error::custom)
    }
}

/// When an id made by [`Uuids`] was made.
pub fn instant_of(uuid: [u8; 16]) -> Instant {
    let value = u128::from_be_bytes(uuid);
    let us = (value >> 80) << 4 | (value >> 72) & 0xf;
    Instant(i64::try_from(us).unwrap_or(i64::MAX))
}

/// A new id for an account or budget: 52 bits of microseconds above 11 random bits, so time-ordered and positive.
pub fn new_id() -> Result<i64, getrandom::Error> {
    let value = (unix_us() & ((1 << TIME_BITS) - 1)) << 11 | (getrandom::u64()? & 0x7ff);
    Ok((value & i64::MAX as u64) as i64)
}

/// The system clock; a clock before 1970 counts as 1970, because ids need uniqueness and not truth.
fn unix_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|elapsed| u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_survives_the_round_trip() {
        for tenant_id in [1, 2, 1000, i32::MAX] {
            let uuid = compose(tenant_id, u64::MAX, u64::MAX).to_be_bytes();
            assert_eq!(tenant_of(uuid), Some(tenant_id));
            assert_eq!(tenant_of(compose(tenant_id, 0, 0).to_be_bytes()), Some(tenant_id));
            let now = Instant(1_800_000_000_123_456 + i64::from(tenant_id));
            let mut uuids = Uuids::new(tenant_id, now).unwrap();
            let (first, second) = (uuids.make(), uuids.make());
            assert_ne!(first, second);
            assert_eq!((tenant_of(first), tenant_of(second)), (Some(tenant_id), Some(tenant_id)));
            assert_eq!((instant_of(first), instant_of(second)), (now, now));
        }
    }

    #[test]
    fn version_and_variant_are_those_of_a_uuid_v8() {
        let uuid = compose(7, 1_700_000_000_000_000, 12345).to_be_bytes();
        assert_eq!(uuid[6] >> 4, 8);
        assert_eq!(uuid[8] >> 6, 0b10);
    }

    #[test]
    fn uuids_of_others_have_no_tenant() {
        let v4 = 0x0123_4567_89ab_4def_8123_4567_89ab_cdef_u128.to_be_bytes();
        assert_eq!(tenant_of(v4), None);
        assert_eq!(tenant_of([0; 16]), None);
        assert_eq!(tenant_of([0xff; 16]), None);
    }

    #[test]
    fn ids_are_ordered_by_time() {
        assert!(compose(1, 1000, u64::MAX) < compose(1, 1001, 0));
        assert!(compose(i32::MAX, 16, u64::MAX) < compose(1, 32, 0));
        let first = new_id().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(5));
        assert!(0 < first && first < new_id().unwrap());
    }
}
