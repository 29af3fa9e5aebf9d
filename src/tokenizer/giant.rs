//! Pieces of any length in bounded memory.
//!
//! A sequence of tokens is the encoding of its bytes exactly if every two neighbours are compatible,
//! that is, if the two together encode to just these two: a merge across a joint would show there.
//! So a long piece is encoded window by window. Of each window all tokens but the last few are
//! kept; the next window begins where they end, and the joint is proven by its two tokens. If they
//! are not compatible, an earlier joint is tried, and if there is none, all begins again with
//! larger windows.

use std::ops::ControlFlow;

use super::merge;
use super::vocabulary::Vocabulary;

/// How long a piece must be to be encoded by windows, and how long a window is, in bytes.
pub(super) const WINDOW: usize = 4096;

/// How many tokens at the end of a window are not kept: they depend on what follows.
const DROPPED: usize = 16;

/// How many joints are tried in a window.
const JOINTS: usize = 16;

/// Takes the tokens of a text, in order and in parts.
pub(super) trait Sink {
    /// Takes the next tokens; the encoding ends if that breaks.
    fn take(&mut self, tokens: &[u32]) -> ControlFlow<()>;

    /// A long piece begins. If another call comes before its end, what was taken in between is to
    /// be forgotten.
    fn begin(&mut self);

    /// The long piece has ended.
    fn end(&mut self);
}

/// Encodes `piece` with windows of at least `window` bytes.
pub(super) fn encode(
    vocabulary: &Vocabulary,
    piece: &[u8],
    window: usize,
    interrupt: &mut dyn FnMut(),
    sink: &mut dyn Sink,
) -> ControlFlow<()> {
    let mut windows = Windows { vocabulary, piece, size: window, interrupt };
    loop {
        sink.begin();
        match windows.encode(sink) {
            Outcome::Complete => {
                sink.end();
                return ControlFlow::Continue(());
            }
            Outcome::Stopped => return ControlFlow::Break(()),
            // At last one window has the whole piece and needs no joint.
            Outcome::NoJoint => windows.size *= 2,
        }
    }
}

enum Outcome {
    Complete,
    Stopped,
    NoJoint,
}

struct Windows<'a> {
    vocabulary: &'a Vocabulary,
    piece: &'a [u8],
    size: usize,
    interrupt: &'a mut dyn FnMut(),
}

/// Where one window ends and the next begins.
struct Joint {
    /// The number of tokens of the first window that are kept.
    kept: usize,
    /// Their length in bytes.
    step: usize,
    /// The tokens of the window that begins there.
    next: Vec<u32>,
}

impl Windows<'_> {
    fn encode(&mut self, sink: &mut dyn Sink) -> Outcome {
        let mut start = 0;
        let mut tokens = self.tokens_at(start);
        while self.piece.len() - start > self.size {
            (self.interrupt)();
            let Some(Joint { kept, step, next }) = self.find_joint(start, &tokens) else {
                return Outcome::NoJoint;
            };
            // Where a text repeats itself, so do its windows, with the same joint: a comparison
            // instead of an encoding.
            let repeats = next == tokens;
            loop {
                if sink.take(&tokens[..kept]).is_break() {
                    return Outcome::Stopped;
                }
                start += step;
                if !repeats || !self.is_repeated(start, step) {
                    break;
                }
                (self.interrupt)();
            }
            tokens = next;
        }
        match sink.take(&tokens) {
            ControlFlow::Continue(()) => Outcome::Complete,
            ControlFlow::Break(()) => Outcome::Stopped,
        }
    }

    /// The tokens of the window at `start`.
    fn tokens_at(&self, start: usize) -> Vec<u32> {
        let end = self.piece.len().min(start + self.size);
        merge::encode(self.vocabulary, &self.piece[start..end])
    }

    /// Whether the window at `start` is not the last and equal to the one at `start + step`.
    fn is_repeated(&self, start: usize, step: usize) -> bool {
        let window = |start: usize| self.piece.get(start..start + self.size);
        window(start + step).is_some_and(|next| window(start) == Some(next))
    }

    fn find_joint(&mut self, start: usize, tokens: &[u32]) -> Option<Joint> {
        // Short windows, as in tests, have few tokens.
        let dropped = (tokens.len() / 4).clamp(1, DROPPED);
        let mut step = self.size;
        for (kept, token) in tokens.iter().enumerate().skip(1).rev().take(dropped + JOINTS) {
            step -= self.vocabulary.bpe.token_len(*token);
            if tokens.len() - kept < dropped {
                continue;
            }
            let next = self.tokens_at(start + step);
            if next.first().is_some_and(|first| self.compatible(tokens[kept - 1], *first)) {
                return Some(Joint { kept, step, next });
            }
            (self.interrupt)();
        }
        None
    }

    fn compatible(&self, left: u32, right: u32) -> bool {
        compatible(self.vocabulary, left, right)
    }
}

/// Whether two tokens may stand side by side: together they encode to themselves.
pub(super) fn compatible(vocabulary: &Vocabulary, left: u32, right: u32) -> bool {
    let bpe = vocabulary.bpe;
    let bytes = [bpe.token_bytes(left), bpe.token_bytes(right)].concat();
    bpe.encode_via_backtracking(&bytes) == [left, right]
}
