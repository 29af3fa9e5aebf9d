//! The tokens of an encoding by their bytes.

use bpe::byte_pair_encoding::BytePairEncoding;

/// A byte-pair encoding with a hash table from the bytes of a token to its number: most pieces of a
/// text are one token, and then no encoding is needed.
///
/// The table holds numbers only and compares with the bytes in the encoding itself.
pub(super) struct Vocabulary {
    pub(super) bpe: &'static BytePairEncoding,
    /// Token + 1; 0 is an empty slot. The length is a power of two.
    slots: Vec<u32>,
    longest: usize,
}

impl Vocabulary {
    pub(super) fn new(bpe: &'static BytePairEncoding) -> Self {
        let tokens = bpe.num_tokens();
        let mut table = Self { bpe, slots: vec![0; (tokens * 2).next_power_of_two()], longest: 0 };
        for token in 0..tokens as u32 {
            let bytes = bpe.token_bytes(token);
            table.longest = table.longest.max(bytes.len());
            let mut slot = table.first_slot(bytes);
            while table.slots[slot] != 0 {
                slot = table.next_slot(slot);
            }
            table.slots[slot] = token + 1;
        }
        table
    }

    /// The length of the longest token.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The token with exactly these bytes.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest {
            return None;
        }
        let mut slot = self.first_slot(bytes);
        while self.slots[slot] != 0 {
            let token = self.slots[slot] - 1;
            if self.bpe.token_bytes(token) == bytes {
                return Some(token);
            }
            slot = self.next_slot(slot);
        }
        None
    }

    fn first_slot(&self, bytes: &[u8]) -> usize {
        let mut hash = bytes.len() as u64;
        let mut chunks = bytes.chunks_exact(8);
        let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
        for chunk in &mut chunks {
            mix(chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        mix(chunks.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        // The high bits of a product are the well mixed ones.
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    fn next_slot(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

/// An odd number with bits in disorder: the golden ratio in 64 bits.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
