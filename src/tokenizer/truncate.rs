//! The longest prefix within a limit.
//!
//! The prefix is counted by itself, and that differs from the tokens of the whole text in two ways:
//! what follows a piece may decide where it ends, and a prefix of a piece may have more tokens than
//! the piece. So the count of a prefix may fall when the prefix grows, and every candidate is
//! counted, from the longest down.

use std::ops::ControlFlow;

use bpe::appendable_encoder::AppendableEncoder;

use super::cache;
use super::counter::Counter;
use super::encoding::Encoding;
use super::engine::{Engine, counter};
use super::error::TokenizerError;
use super::giant::Sink;
use super::pattern::{Pattern, STRIDE, Scanner};
use super::vocabulary::Vocabulary;

/// The longest prefix of `text` at a character boundary that has at most `max_tokens` tokens when
/// it is counted by itself.
///
/// Reads no more of the text than the limit needs. Inside a piece longer than 32 bytes the search
/// begins one longest token after the first `max_tokens` tokens; no text is known for which an even
/// longer prefix would fit.
pub fn truncate<'t>(
    text: &'t str,
    encoding: Encoding,
    max_tokens: usize,
    interrupt: &mut dyn FnMut(),
) -> Result<&'t str, TokenizerError> {
    Ok(&text[..counter(encoding).longest_prefix(text, max_tokens, interrupt)])
}

/// Up to this many bytes every prefix is simply counted.
const SHORT_SPAN: usize = 32;

/// How many tokens before the limit the search in a longer piece begins.
const TAIL_TOKENS: usize = 16;

/// The length of the longest prefix, in bytes.
pub(super) fn longest_prefix<P: Pattern>(
    engine: &Engine<P>,
    text: &str,
    limit: usize,
    interrupt: &mut dyn FnMut(),
) -> usize {
    // A token has at most so many bytes, and the count of a prefix does not depend on what follows.
    let reachable = limit.saturating_mul(engine.longest_token());
    let text = &text[..text.floor_char_boundary(reachable)];
    let Some(overflow) = find_overflow(engine, text, limit, interrupt) else {
        return text.len();
    };
    let tail = &text[overflow.anchor..overflow.latest];
    let budget = limit - overflow.tokens_before;
    overflow.anchor + longest_tail(engine, tail, budget, interrupt)
}

/// Where a text exceeds a limit.
struct Overflow {
    /// A boundary of pieces in every prefix that is not shorter.
    anchor: usize,
    /// The tokens before it, at most the limit.
    tokens_before: usize,
    /// Every longer prefix exceeds the limit.
    latest: usize,
}

/// What follows a piece decides about its end only where whitespace follows whitespace: at the end
/// of a text a run of whitespace is one piece, elsewhere it is cut before its last character or
/// after its last line break. So a piece of the text is a piece of every prefix that contains it,
/// unless only whitespace lies between its own trailing whitespace and the end of the prefix.
fn find_overflow<P: Pattern>(
    engine: &Engine<P>,
    text: &str,
    limit: usize,
    interrupt: &mut dyn FnMut(),
) -> Option<Overflow> {
    let mut borrowed = cache::borrow();
    let cache = borrowed.get();
    let mut scanner = Scanner::new(text, interrupt);
    let (mut anchor, mut tokens_before) = (0, 0);
    let mut total = 0;
    let mut start = 0;
    let mut next_interrupt = STRIDE;
    while start < text.len() {
        let end = P::piece_end(&mut scanner, start);
        total += engine.count_piece(cache, text, start, end, limit - total, &mut scanner);
        let ends_in_whitespace = text[start..end].ends_with(char::is_whitespace);
        if total > limit {
            let latest = if ends_in_whitespace { scanner.whitespace_run(end) } else { end };
            return Some(Overflow { anchor, tokens_before, latest });
        }
        start = end;
        if !ends_in_whitespace {
            (anchor, tokens_before) = (end, total);
        }
        if start >= next_interrupt {
            scanner.interrupt();
            next_interrupt = start + STRIDE;
        }
    }
    None
}

/// The length of the longest prefix of `tail`, which begins at a boundary of pieces.
fn longest_tail<P: Pattern>(engine: &Engine<P>, tail: &str, budget: usize, interrupt: &mut dyn FnMut()) -> usize {
    let candidates = if tail.len() <= SHORT_SPAN {
        Candidates::all(tail.len())
    } else {
        Candidates::of_long_tail(engine, tail, budget, interrupt)
    };
    let mut end = tail.floor_char_boundary(candidates.upper);
    while end > 0 {
        if candidates.may_fit(end, budget) {
            interrupt();
            if engine.count_up_to(&tail[..end], budget, interrupt).is_some() {
                return end;
            }
        }
        end = tail.floor_char_boundary(end - 1);
    }
    0
}

/// Which prefixes of a tail are worth a count.
struct Candidates {
    upper: usize,
    /// The number of tokens of the prefixes from `first_known` on, one per byte.
    known: Vec<usize>,
    first_known: usize,
}

impl Candidates {
    fn all(upper: usize) -> Self {
        Self { upper, known: Vec::new(), first_known: 0 }
    }

    /// Encodes up to the limit, and from some tokens before it on counts all prefixes at once.
    fn of_long_tail<P: Pattern>(engine: &Engine<P>, tail: &str, budget: usize, interrupt: &mut dyn FnMut()) -> Self {
        let vocabulary = &engine.vocabulary;
        let mut reach = Reach::new(vocabulary, budget);
        let _ = engine.encode_parts(tail, interrupt, &mut reach);
        let upper = tail.floor_char_boundary(reach.now.end + engine.longest_token());
        let first_known = reach.now.checkpoint_end;
        let one_piece = P::piece_end(&mut Scanner::new(&tail[..upper], interrupt), 0) == upper;
        if !one_piece {
            return Self::all(upper);
        }
        let mut encoder = AppendableEncoder::new(vocabulary.bpe);
        let mut known = Vec::with_capacity(upper - first_known);
        for byte in &tail.as_bytes()[first_known..upper] {
            encoder.push(*byte);
            known.push(reach.now.checkpoint_tokens + encoder.token_count());
        }
        Self { upper, known, first_known: first_known + 1 }
    }

    /// False only for a prefix that is known to exceed the budget.
    fn may_fit(&self, end: usize, budget: usize) -> bool {
        end.checked_sub(self.first_known).and_then(|index| self.known.get(index)).is_none_or(|tokens| *tokens <= budget)
    }
}

/// Finds the end of the first `budget` tokens, and of [`TAIL_TOKENS`] before it.
struct Reach<'a> {
    vocabulary: &'a Vocabulary,
    budget: usize,
    now: Progress,
    before_long_piece: Option<Progress>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    tokens: usize,
    end: usize,
    checkpoint_tokens: usize,
    checkpoint_end: usize,
}

impl<'a> Reach<'a> {
    fn new(vocabulary: &'a Vocabulary, budget: usize) -> Self {
        Self { vocabulary, budget, now: Progress::default(), before_long_piece: None }
    }
}

impl Sink for Reach<'_> {
    fn take(&mut self, tokens: &[u32]) -> ControlFlow<()> {
        let now = &mut self.now;
        for token in tokens {
            if now.tokens == self.budget {
                return ControlFlow::Break(());
            }
            now.tokens += 1;
            now.end += self.vocabulary.bpe.token_len(*token);
            if now.tokens + TAIL_TOKENS <= self.budget {
                (now.checkpoint_tokens, now.checkpoint_end) = (now.tokens, now.end);
            }
        }
        ControlFlow::Continue(())
    }

    fn begin(&mut self) {
        self.now = *self.before_long_piece.get_or_insert(self.now);
    }

    fn end(&mut self) {
        self.before_long_piece = None;
    }
}
