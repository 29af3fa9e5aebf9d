//! Byte-pair encoding of one piece of moderate length.

use super::vocabulary::Vocabulary;

/// Pieces up to this length are always encoded by backtracking: they cannot cost much.
const BRIEF: usize = 64;

/// The longest unit of a repetition that is looked for, in bytes: one character.
const LONGEST_UNIT: usize = 4;

/// How many bytes must repeat.
const MONOTONOUS_RUN: usize = 32;

/// How many parts may be looked at per byte before merging in passes is given up.
const WORK_PER_BYTE: usize = 32;

/// No merge.
const NONE: u32 = u32::MAX;

/// The number of tokens of a piece that is not empty.
pub(super) fn count(vocabulary: &Vocabulary, piece: &[u8]) -> usize {
    if is_monotonous(piece) { encode(vocabulary, piece).len() } else { vocabulary.bpe.count(piece) }
}

/// The tokens of a piece.
///
/// Backtracking is the fastest way for most texts. But a symbol that has many tokens of different
/// lengths, such as the dash, makes it try all of them at every place: up to 3 microseconds per
/// byte. There, and only there, merging in passes is fast. All ways give the same tokens.
pub(super) fn encode(vocabulary: &Vocabulary, piece: &[u8]) -> Vec<u32> {
    if is_monotonous(piece) {
        merge_in_passes(vocabulary, piece).unwrap_or_else(|| vocabulary.bpe.encode_via_bitfield(piece))
    } else {
        vocabulary.bpe.encode_via_backtracking(piece)
    }
}

/// Whether some short unit repeats itself in a piece that is not brief.
fn is_monotonous(piece: &[u8]) -> bool {
    piece.len() > BRIEF
        && (1..=LONGEST_UNIT).any(|unit| {
            let mut run = 0;
            piece.iter().zip(&piece[unit..]).any(|(left, right)| {
                run = if left == right { run + 1 } else { 0 };
                run == MONOTONOUS_RUN
            })
        })
}

/// A token so far.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    token: u32,
    /// The token that this part and the next one make, or [`NONE`].
    merged: u32,
}

/// Does what defines the encoding, but all equal merges in one pass from left to right: a merge
/// makes only tokens of higher numbers possible, so it cannot change which of the equal ones come
/// next. `None` if there are so many different merges that this takes too long.
fn merge_in_passes(vocabulary: &Vocabulary, piece: &[u8]) -> Option<Vec<u32>> {
    let mut parts = Vec::with_capacity(piece.len());
    for (start, byte) in piece.iter().enumerate() {
        let merged = piece.get(start..start + 2).and_then(|pair| vocabulary.find(pair));
        let token = vocabulary.find(&[*byte])?;
        parts.push(Part { start, token, merged: merged.unwrap_or(NONE) });
    }
    let mut budget = piece.len() * WORK_PER_BYTE;
    while let Some(lowest) = parts.iter().map(|part| part.merged).min().filter(|t| *t != NONE) {
        budget = budget.checked_sub(parts.len())?;
        merge_pass(vocabulary, piece, &mut parts, lowest);
    }
    Some(parts.into_iter().map(|part| part.token).collect())
}

/// Makes every `lowest` that is possible, from left to right.
fn merge_pass(vocabulary: &Vocabulary, piece: &[u8], parts: &mut Vec<Part>, lowest: u32) {
    let mut kept = 0;
    let mut next = 0;
    // Whether what follows the part before has changed.
    let mut stale = false;
    while next < parts.len() {
        let mut part = parts[next];
        let merges = part.merged == lowest;
        next += if merges { 2 } else { 1 };
        if merges {
            part.token = lowest;
        }
        if kept > 0 && (stale || merges) {
            let end = parts.get(next).map_or(piece.len(), |after| after.start);
            let before: &mut Part = &mut parts[kept - 1];
            before.merged = vocabulary.find(&piece[before.start..end]).unwrap_or(NONE);
        }
        part.merged = if merges { NONE } else { part.merged };
        stale = merges;
        parts[kept] = part;
        kept += 1;
    }
    parts.truncate(kept);
}
