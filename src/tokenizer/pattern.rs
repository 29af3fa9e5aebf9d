//! The patterns that cut a text into pieces before byte-pair encoding.
//!
//! Each is a hand-written equivalent of tiktoken's regular expression: several times as fast, linear
//! in the length of any text, and interruptible inside a match of any length, which a regex engine
//! is not. The tests compare every piece with the regex.

use super::chars::{
    CLASSES, Classes, LETTER, LOWER, MARK, NEWLINE, NUMBER, OTHER, SPACE, SYMBOL, UNCASED, UPPER, WHITESPACE,
};

/// How many bytes are scanned between two calls of the interrupt callback.
pub(super) const STRIDE: usize = 16 * 1024;

/// A pattern: where a piece ends.
pub(super) trait Pattern {
    /// The end of the piece that begins at `start`, which is a boundary below the text's length.
    fn piece_end(scanner: &mut Scanner<'_, '_>, start: usize) -> usize;
}

/// A text and what is needed to walk over it.
pub(super) struct Scanner<'t, 'i> {
    bytes: &'t [u8],
    classes: &'static Classes,
    interrupt: &'i mut dyn FnMut(),
}

impl<'t, 'i> Scanner<'t, 'i> {
    pub(super) fn new(text: &'t str, interrupt: &'i mut dyn FnMut()) -> Self {
        Self { bytes: text.as_bytes(), classes: &CLASSES, interrupt }
    }

    /// Calls the interrupt callback.
    pub(super) fn interrupt(&mut self) {
        (self.interrupt)();
    }

    /// The callback itself, for work on a piece.
    pub(super) fn interrupt_mut(&mut self) -> &mut dyn FnMut() {
        self.interrupt
    }

    #[inline(always)]
    fn byte(&self, position: usize) -> Option<u8> {
        self.bytes.get(position).copied()
    }

    /// The class of the character at `position` and the position after it; class 0 at the end.
    #[inline(always)]
    fn class(&self, position: usize) -> (u8, usize) {
        match self.byte(position) {
            None => (0, position),
            Some(byte) if byte < 0x80 => (self.classes.ascii(byte), position + 1),
            Some(lead) => self.class_of_sequence(lead, position),
        }
    }

    fn class_of_sequence(&self, lead: u8, position: usize) -> (u8, usize) {
        let tail = |offset: usize| usize::from(self.bytes[position + offset] & 0x3F);
        let lead = usize::from(lead);
        let (code_point, length) = if lead < 0xE0 {
            ((lead & 0x1F) << 6 | tail(1), 2)
        } else if lead < 0xF0 {
            ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), 3)
        } else {
            ((lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
        };
        (self.classes.of(code_point), position + length)
    }

    /// The end of the run of characters of the classes in `mask`.
    #[inline(always)]
    fn run(&mut self, start: usize, mask: u8) -> usize {
        let mut position = start;
        let mut next_interrupt = start + STRIDE;
        loop {
            let stop = self.bytes.len().min(next_interrupt);
            while position < stop && self.classes.ascii(self.bytes[position]) & mask != 0 {
                position += 1;
            }
            if position >= next_interrupt {
                self.interrupt();
                next_interrupt = position + STRIDE;
                continue;
            }
            match self.byte(position) {
                Some(lead) if lead >= 0x80 => {
                    let (class, next) = self.class_of_sequence(lead, position);
                    if class & mask == 0 {
                        return position;
                    }
                    position = next;
                }
                _ => return position,
            }
        }
    }

    /// The end of the run of whitespace at `start`.
    pub(super) fn whitespace_run(&mut self, start: usize) -> usize {
        self.run(start, WHITESPACE)
    }

    /// The end of at most `limit` characters of the classes in `mask`.
    fn run_up_to(&mut self, start: usize, mask: u8, limit: usize) -> usize {
        let mut position = start;
        for _ in 0..limit {
            let (class, next) = self.class(position);
            if class & mask == 0 {
                break;
            }
            position = next;
        }
        position
    }

    /// The end of the run of bytes that are CR, LF or `/`.
    fn newlines_and_slashes(&mut self, start: usize) -> usize {
        let mut position = start;
        while let Some(b'\r' | b'\n' | b'/') = self.byte(position) {
            position += 1;
            if (position - start).is_multiple_of(STRIDE) {
                self.interrupt();
            }
        }
        position
    }

    /// The start of the character that ends at `end`.
    fn char_before(&self, end: usize) -> usize {
        let mut position = end - 1;
        while self.bytes[position] & 0xC0 == 0x80 {
            position -= 1;
        }
        position
    }

    /// The position after the last CR or LF between `start` and `end`.
    fn after_last_newline(&mut self, start: usize, end: usize) -> Option<usize> {
        let mut end = end;
        while start < end {
            let chunk = start.max(end.saturating_sub(STRIDE));
            let newline = |byte: &u8| matches!(byte, b'\r' | b'\n');
            if let Some(offset) = self.bytes[chunk..end].iter().rposition(newline) {
                return Some(chunk + offset + 1);
            }
            if start < chunk {
                self.interrupt();
            }
            end = chunk;
        }
        None
    }

    /// The position after the last character of the classes in `mask` between `start` and `end`.
    fn after_last(&mut self, start: usize, end: usize, mask: u8) -> Option<usize> {
        let mut position = end;
        let mut next_interrupt = end.saturating_sub(STRIDE);
        while start < position {
            let character = self.char_before(position);
            if self.class(character).0 & mask != 0 {
                return Some(position);
            }
            position = character;
            if position < next_interrupt {
                self.interrupt();
                next_interrupt = position.saturating_sub(STRIDE);
            }
        }
        None
    }

    /// The end of `\s+(?!\S)` in a run of whitespace, or else of `\s`: a run at the end of the text
    /// is one piece, any other leaves its last character to what follows it.
    fn whitespace_end(&self, start: usize, run_end: usize) -> usize {
        if run_end == self.bytes.len() {
            return run_end;
        }
        let last = self.char_before(run_end);
        if last == start { run_end } else { last }
    }

    /// The end of an English contraction (`'s`, `'ll`) whose apostrophe is at `start`.
    ///
    /// Without case, `s` is also U+017F, the long s: that is simple case folding, as in the regex.
    fn contraction_end(&self, start: usize, any_case: bool) -> Option<usize> {
        if self.byte(start) != Some(b'\'') {
            return None;
        }
        let fold = |byte: u8| if any_case { byte.to_ascii_lowercase() } else { byte };
        let first = fold(self.byte(start + 1)?);
        let second = self.byte(start + 2).map(fold);
        match (first, second) {
            (b's' | b'd' | b'm' | b't', _) => Some(start + 2),
            (b'l', Some(b'l')) | (b'v' | b'r', Some(b'e')) => Some(start + 3),
            (0xC5, Some(0xBF)) if any_case => Some(start + 3),
            _ => None,
        }
    }
}

/// `r50k_base`, `p50k_base`, `p50k_edit`:
/// `'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`
pub(super) struct Gpt2;

impl Pattern for Gpt2 {
    fn piece_end(scanner: &mut Scanner<'_, '_>, start: usize) -> usize {
        if let Some(end) = scanner.contraction_end(start, false) {
            return end;
        }
        let (mut class, mut next) = scanner.class(start);
        if scanner.byte(start) == Some(b' ') {
            let (after, end) = scanner.class(next);
            if after & (LETTER | NUMBER | SYMBOL) != 0 {
                (class, next) = (after, end);
            }
        }
        for mask in [LETTER, NUMBER, SYMBOL] {
            if class & mask != 0 {
                return scanner.run(next, mask);
            }
        }
        let run_end = scanner.run(next, WHITESPACE);
        scanner.whitespace_end(start, run_end)
    }
}

/// `cl100k_base`: `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|
/// ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`
pub(super) struct Cl100k;

impl Pattern for Cl100k {
    fn piece_end(scanner: &mut Scanner<'_, '_>, start: usize) -> usize {
        let (class, next) = scanner.class(start);
        if class & LETTER != 0 {
            return scanner.run(next, LETTER);
        }
        if class & NUMBER != 0 {
            return scanner.run_up_to(next, NUMBER, 2);
        }
        if class & (SPACE | SYMBOL) != 0 {
            if let Some(end) = scanner.contraction_end(start, true) {
                return end;
            }
            let (after, after_next) = scanner.class(next);
            if after & LETTER != 0 {
                return scanner.run(after_next, LETTER);
            }
            let space_before_symbol = scanner.byte(start) == Some(b' ') && after & SYMBOL != 0;
            if class & SYMBOL != 0 || space_before_symbol {
                let symbols_end = scanner.run(next, SYMBOL);
                return scanner.run(symbols_end, NEWLINE);
            }
        }
        let run_end = scanner.run(next, WHITESPACE);
        if run_end == scanner.bytes.len() {
            return run_end;
        }
        match scanner.after_last_newline(start, run_end) {
            Some(end) => end,
            None => scanner.whitespace_end(start, run_end),
        }
    }
}

/// `o200k_base` and `o200k_harmony`, where `upper` is `\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}`, `lower` is
/// `\p{Ll}\p{Lm}\p{Lo}\p{M}` and `short` is `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`:
/// `[^\r\n\p{L}\p{N}]?[upper]*[lower]+short|[^\r\n\p{L}\p{N}]?[upper]+[lower]*short|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
pub(super) struct O200k;

const O200K_UPPER: u8 = UPPER | UNCASED | MARK;
const O200K_LOWER: u8 = LOWER | UNCASED | MARK;
/// In both classes: such a character can begin the second part of a word or continue the first.
const O200K_BOTH: u8 = UNCASED | MARK;

impl O200k {
    /// The end of `[upper]*[lower]+` at `start`, as a backtracking engine finds it; `Err` has the
    /// end of `[upper]*` where there is no such match.
    #[inline(always)]
    fn word(scanner: &mut Scanner<'_, '_>, start: usize) -> Result<usize, usize> {
        let (class, next) = scanner.class(start);
        if class & LOWER != 0 {
            return Ok(scanner.run(next, O200K_LOWER));
        }
        let upper_end = scanner.run(start, O200K_UPPER);
        if scanner.class(upper_end).0 & LOWER != 0 {
            return Ok(scanner.run(upper_end, O200K_LOWER));
        }
        // Backtracking gives up capitals from the end until one character can be the second part.
        scanner.after_last(start, upper_end, O200K_BOTH).ok_or(upper_end)
    }

    fn with_contraction(scanner: &Scanner<'_, '_>, end: usize) -> usize {
        scanner.contraction_end(end, true).unwrap_or(end)
    }
}

impl Pattern for O200k {
    fn piece_end(scanner: &mut Scanner<'_, '_>, start: usize) -> usize {
        let (class, next) = scanner.class(start);
        if class & LETTER != 0 {
            let (Ok(end) | Err(end)) = Self::word(scanner, start);
            return Self::with_contraction(scanner, end);
        }
        if class & NUMBER != 0 {
            return scanner.run_up_to(next, NUMBER, 2);
        }
        if class & (SPACE | MARK | OTHER) != 0 {
            let word = Self::word(scanner, next);
            if let Ok(end) = word {
                return Self::with_contraction(scanner, end);
            }
            // A mark is a word by itself, and the alternative with small letters is tried, without
            // the leading character too, before the one with capitals only.
            if class & MARK != 0 {
                return Self::with_contraction(scanner, next);
            }
            if let Err(end) = word
                && end > next
            {
                return Self::with_contraction(scanner, end);
            }
            let space_before_symbol = scanner.byte(start) == Some(b' ') && scanner.class(next).0 & SYMBOL != 0;
            if class & SYMBOL != 0 || space_before_symbol {
                let symbols_end = scanner.run(next, SYMBOL);
                return scanner.newlines_and_slashes(symbols_end);
            }
        }
        let run_end = scanner.run(next, WHITESPACE);
        match scanner.after_last_newline(start, run_end) {
            Some(end) => end,
            None => scanner.whitespace_end(start, run_end),
        }
    }
}
