//! The counts of the pieces seen last.
//!
//! Two direct-mapped tables, for pieces up to 14 and up to 30 bytes, one pair per process for all
//! encodings: about 1 MB, of which only the pages that are used cost memory. An entry holds the
//! whole piece, so a hit is exact, and an unlucky or hostile choice of pieces costs only time.

use std::cell::Cell;

/// The longest piece of the first table.
const SHORT: usize = 14;
/// The longest piece of the second table.
const LONG: usize = 30;
/// Entries of the first table: 512 KB.
const SHORT_ENTRIES: usize = 1 << 15;
/// Entries of the second table: 512 KB.
const LONG_ENTRIES: usize = 1 << 14;

/// The last byte of a key has the engine in its upper bits and the count in the lower five: a piece
/// of at most 30 bytes has at most 30 tokens.
const COUNT_BITS: u32 = 5;
const COUNT_MASK: u128 = ((1 << COUNT_BITS) - 1) << 120;

/// Which engine counted; part of every key. At most 7, and never 0, which is an empty entry.
#[derive(Clone, Copy)]
pub(super) struct EngineKey(u8);

impl EngineKey {
    pub(super) const fn new(number: u8) -> Self {
        assert!(0 < number && number < 1 << (8 - COUNT_BITS));
        Self(number)
    }
}

/// The tables.
pub(super) struct Cache {
    short: Vec<u128>,
    long: Vec<[u128; 2]>,
}

/// A piece as the tables know it, with its place.
pub(super) enum Key {
    Short {
        slot: usize,
        key: u128,
    },
    Long {
        slot: usize,
        key: [u128; 2],
    },
    /// Too long to be remembered.
    None,
}

impl Cache {
    fn new() -> Self {
        // All zero, from fresh pages: they become real memory when they are first written.
        Self { short: vec![0; SHORT_ENTRIES], long: vec![[0; 2]; LONG_ENTRIES] }
    }

    /// The key of the piece `bytes[start..end]`, which is not empty.
    #[inline(always)]
    pub(super) fn key(engine: EngineKey, bytes: &[u8], start: usize, end: usize) -> Key {
        let length = end - start;
        let meta = (length as u128) << 112 | u128::from(engine.0) << (120 + COUNT_BITS);
        if length <= SHORT {
            let key = load(bytes, start, length) | meta;
            Key::Short { slot: fold(key) % SHORT_ENTRIES, key }
        } else if length <= LONG {
            let first = load(bytes, start, length.min(16));
            let second = load(bytes, start + 16, length.saturating_sub(16)) | meta;
            let key = [first, second];
            Key::Long { slot: fold(first ^ second.rotate_left(29)) % LONG_ENTRIES, key }
        } else {
            Key::None
        }
    }

    /// The remembered count.
    #[inline(always)]
    pub(super) fn get(&self, key: &Key) -> Option<usize> {
        let entry = match *key {
            Key::Short { slot, key } => {
                let entry = self.short[slot];
                (entry & !COUNT_MASK == key).then_some(entry)?
            }
            Key::Long { slot, key } => {
                let [first, second] = self.long[slot];
                (first == key[0] && second & !COUNT_MASK == key[1]).then_some(second)?
            }
            Key::None => return None,
        };
        Some(((entry & COUNT_MASK) >> 120) as usize)
    }

    /// Remembers the count, which is at most the length of the piece.
    pub(super) fn put(&mut self, key: &Key, count: usize) {
        let count = (count as u128) << 120;
        match *key {
            Key::Short { slot, key } => self.short[slot] = key | count,
            Key::Long { slot, key } => self.long[slot] = [key[0], key[1] | count],
            Key::None => {}
        }
    }
}

/// Up to 16 bytes as a number, zeros above.
#[inline(always)]
fn load(bytes: &[u8], start: usize, length: usize) -> u128 {
    let tail = &bytes[start.min(bytes.len())..];
    let mask = if length < 16 { (1 << (8 * length)) - 1 } else { u128::MAX };
    match tail.first_chunk::<16>() {
        // One load and a mask are several times as fast as a copy of unknown length.
        Some(chunk) => u128::from_le_bytes(*chunk) & mask,
        None => {
            let mut chunk = [0; 16];
            chunk[..length].copy_from_slice(&tail[..length]);
            u128::from_le_bytes(chunk)
        }
    }
}

/// A hash: the product of both halves, folded.
#[inline(always)]
fn fold(key: u128) -> usize {
    let low = key as u64 ^ 0x9E37_79B9_7F4A_7C15;
    let high = (key >> 64) as u64 ^ 0xD6E8_FEB8_6659_FD93;
    let product = u128::from(low) * u128::from(high);
    (product as u64 ^ (product >> 64) as u64) as usize
}

thread_local! {
    static CACHE: Cell<Option<Box<Cache>>> = const { Cell::new(None) };
}

/// The cache of this process, taken out for the time of a call.
///
/// A callback that unwinds puts it back on its way, and one that counts again gets another cache:
/// neither can find a borrow that was never given back.
pub(super) struct Borrowed(Option<Box<Cache>>);

/// Takes the cache; the first call allocates it.
pub(super) fn borrow() -> Borrowed {
    Borrowed(Some(CACHE.take().unwrap_or_else(|| Box::new(Cache::new()))))
}

/// Gives the memory of the cache back.
pub(super) fn release() {
    CACHE.set(None);
}

impl Borrowed {
    /// The cache. It is there until the value is dropped.
    #[inline(always)]
    pub(super) fn get(&mut self) -> &mut Cache {
        self.0.get_or_insert_with(|| Box::new(Cache::new()))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        CACHE.set(self.0.take());
    }
}
