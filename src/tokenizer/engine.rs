//! The tokenizer: a pattern, a byte-pair encoding and the shortcuts around it.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use bpe::byte_pair_encoding::BytePairEncoding;
use tiktoken_rs::CoreBPE;

use super::cache::{self, Cache, EngineKey};
use super::counter::Counter;
use super::encoding::Encoding;
use super::giant::{self, Sink};
use super::merge;
use super::pattern::{Cl100k, Gpt2, O200k, Pattern, STRIDE, Scanner};
use super::truncate;
use super::vocabulary::Vocabulary;

/// The tokenizer of an encoding; the first call builds its tables.
///
/// Encodings that differ in special tokens only share one, as only ordinary tokens are counted.
pub(super) fn counter(encoding: Encoding) -> &'static dyn Counter {
    match encoding {
        Encoding::O200kHarmony | Encoding::O200kBase => &*O200K,
        Encoding::Cl100kBase => &*CL100K,
        Encoding::P50kBase | Encoding::P50kEdit => &*P50K,
        Encoding::R50kBase => &*R50K,
    }
}

static CL100K: LazyLock<Engine<Cl100k>> =
    LazyLock::new(|| Engine::new(&bpe_openai::cl100k_base().bpe, EngineKey::new(1), u32::MAX));

static O200K: LazyLock<Engine<O200k>> =
    LazyLock::new(|| Engine::new(&bpe_openai::o200k_base().bpe, EngineKey::new(2), u32::MAX));

static P50K: LazyLock<Engine<Gpt2>> = LazyLock::new(|| {
    static BPE: LazyLock<BytePairEncoding> = LazyLock::new(|| old_encoding(tiktoken_rs::p50k_base()));
    Engine::new(&BPE, EngineKey::new(3), END_OF_TEXT)
});

static R50K: LazyLock<Engine<Gpt2>> = LazyLock::new(|| {
    static BPE: LazyLock<BytePairEncoding> = LazyLock::new(|| old_encoding(tiktoken_rs::r50k_base()));
    Engine::new(&BPE, EngineKey::new(4), END_OF_TEXT)
});

/// The id of `<|endoftext|>` in the old encodings: `p50k_base` has ordinary tokens after it.
const END_OF_TEXT: u32 = 50256;

/// With this factor the hash of `bpe` has no collisions in the vocabularies used here; it is the
/// one that bpe-openai uses too.
const HASH_FACTOR: u64 = 17846336922010275747;

/// A byte-pair encoding from the vocabulary inside tiktoken-rs, without the gap of a special token.
fn old_encoding<E: std::fmt::Debug>(vocabulary: Result<CoreBPE, E>) -> BytePairEncoding {
    // No input of a user comes here: the vocabulary is compiled in, and the tests build every one.
    let vocabulary = vocabulary.expect("the vocabulary inside tiktoken-rs is well formed");
    let ids = (0..END_OF_TEXT).chain(END_OF_TEXT + 1..);
    let tokens = ids.map_while(|id| vocabulary.decode_bytes(&[id]).ok());
    BytePairEncoding::from_dictionary(tokens.collect::<Vec<_>>(), Some(HASH_FACTOR))
}

/// A tokenizer with the pattern `P`.
pub(super) struct Engine<P> {
    pub(super) vocabulary: Vocabulary,
    key: EngineKey,
    /// The id that no ordinary token has although higher ones are in use. Inside, tokens are
    /// numbered without a gap.
    gap: u32,
    pattern: PhantomData<fn() -> P>,
}

impl<P: Pattern> Engine<P> {
    fn new(bpe: &'static BytePairEncoding, key: EngineKey, gap: u32) -> Self {
        Self { vocabulary: Vocabulary::new(bpe), key, gap, pattern: PhantomData }
    }

    /// The length of the longest token in bytes.
    pub(super) fn longest_token(&self) -> usize {
        self.vocabulary.longest()
    }

    /// The number of tokens of one piece, or some number above `limit` if it is above.
    #[inline(always)]
    pub(super) fn count_piece(
        &self,
        cache: &mut Cache,
        text: &str,
        start: usize,
        end: usize,
        limit: usize,
        scanner: &mut Scanner<'_, '_>,
    ) -> usize {
        // Every byte is a token.
        if end - start == 1 {
            return 1;
        }
        let key = Cache::key(self.key, text.as_bytes(), start, end);
        if let Some(count) = cache.get(&key) {
            return count;
        }
        let piece = &text.as_bytes()[start..end];
        let count = if piece.len() > giant::WINDOW {
            self.count_giant(piece, limit, scanner)
        } else if self.vocabulary.find(piece).is_some() {
            1
        } else {
            merge::count(&self.vocabulary, piece)
        };
        cache.put(&key, count);
        count
    }

    fn count_giant(&self, piece: &[u8], limit: usize, scanner: &mut Scanner<'_, '_>) -> usize {
        let mut counted = Counted { total: 0, limit };
        let interrupt = scanner.interrupt_mut();
        let _ = giant::encode(&self.vocabulary, piece, giant::WINDOW, interrupt, &mut counted);
        counted.total
    }

    /// Gives the tokens of `text`, in order and in parts, to `sink`, until that breaks. The numbers
    /// are the inner ones, without gap.
    pub(super) fn encode_parts(&self, text: &str, interrupt: &mut dyn FnMut(), sink: &mut dyn Sink) -> ControlFlow<()> {
        let mut scanner = Scanner::new(text, interrupt);
        let mut start = 0;
        let mut next_interrupt = STRIDE;
        while start < text.len() {
            let end = P::piece_end(&mut scanner, start);
            let piece = &text.as_bytes()[start..end];
            if let Some(token) = self.vocabulary.find(piece) {
                sink.take(&[token])?;
            } else if piece.len() > giant::WINDOW {
                let interrupt = scanner.interrupt_mut();
                giant::encode(&self.vocabulary, piece, giant::WINDOW, interrupt, sink)?;
            } else {
                sink.take(&merge::encode(&self.vocabulary, piece))?;
            }
            start = end;
            if start >= next_interrupt {
                scanner.interrupt();
                next_interrupt = start + STRIDE;
            }
        }
        ControlFlow::Continue(())
    }
}

impl<P: Pattern> Counter for Engine<P> {
    fn count_up_to(&self, text: &str, limit: usize, interrupt: &mut dyn FnMut()) -> Option<usize> {
        if text.len().div_ceil(self.longest_token()) > limit {
            return None;
        }
        let mut borrowed = cache::borrow();
        let cache = borrowed.get();
        let mut scanner = Scanner::new(text, interrupt);
        let mut total = 0;
        let mut start = 0;
        let mut next_interrupt = STRIDE;
        while start < text.len() {
            let end = P::piece_end(&mut scanner, start);
            total += self.count_piece(cache, text, start, end, limit - total, &mut scanner);
            if total > limit {
                return None;
            }
            start = end;
            if start >= next_interrupt {
                scanner.interrupt();
                next_interrupt = start + STRIDE;
            }
        }
        Some(total)
    }

    fn encode(&self, text: &str, interrupt: &mut dyn FnMut()) -> Vec<u32> {
        let mut collected = Collected::default();
        let _ = self.encode_parts(text, interrupt, &mut collected);
        let mut tokens = collected.tokens;
        if self.gap != u32::MAX {
            tokens.iter_mut().for_each(|token| *token += u32::from(*token >= self.gap));
        }
        tokens
    }

    fn longest_prefix(&self, text: &str, limit: usize, interrupt: &mut dyn FnMut()) -> usize {
        truncate::longest_prefix(self, text, limit, interrupt)
    }

    fn token_bytes(&self, token: u32) -> Option<&[u8]> {
        if token == self.gap {
            return None;
        }
        let bpe = self.vocabulary.bpe;
        let inner = token - u32::from(token > self.gap);
        ((inner as usize) < bpe.num_tokens()).then(|| bpe.token_bytes(inner))
    }
}

/// Counts tokens, but not much further than to a limit.
struct Counted {
    total: usize,
    limit: usize,
}

impl Sink for Counted {
    fn take(&mut self, tokens: &[u32]) -> ControlFlow<()> {
        self.total += tokens.len();
        if self.total > self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn begin(&mut self) {
        self.total = 0;
    }

    fn end(&mut self) {}
}

/// Collects tokens.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) tokens: Vec<u32>,
    /// How many there were when a long piece began.
    before: Option<usize>,
}

impl Sink for Collected {
    fn take(&mut self, tokens: &[u32]) -> ControlFlow<()> {
        self.tokens.extend_from_slice(tokens);
        ControlFlow::Continue(())
    }

    fn begin(&mut self) {
        let before = *self.before.get_or_insert(self.tokens.len());
        self.tokens.truncate(before);
    }

    fn end(&mut self) {
        self.before = None;
    }
}
