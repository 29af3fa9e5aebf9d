//! The classes of characters that the patterns distinguish.

use std::sync::LazyLock;

/// `\p{Lu}` and `\p{Lt}`.
pub(super) const UPPER: u8 = 1;
/// `\p{Ll}`.
pub(super) const LOWER: u8 = 1 << 1;
/// `\p{Lm}` and `\p{Lo}`: letters without case.
pub(super) const UNCASED: u8 = 1 << 2;
/// `\p{M}`.
pub(super) const MARK: u8 = 1 << 3;
/// `\p{N}`.
pub(super) const NUMBER: u8 = 1 << 4;
/// `\s` without CR and LF.
pub(super) const SPACE: u8 = 1 << 5;
/// CR and LF.
pub(super) const NEWLINE: u8 = 1 << 6;
/// Everything else: punctuation, symbols, controls, unassigned.
pub(super) const OTHER: u8 = 1 << 7;

/// `\p{L}`.
pub(super) const LETTER: u8 = UPPER | LOWER | UNCASED;
/// `\s`.
pub(super) const WHITESPACE: u8 = SPACE | NEWLINE;
/// `[^\s\p{L}\p{N}]`.
pub(super) const SYMBOL: u8 = MARK | OTHER;

/// The classes as data: `first last classes` per line, hexadecimal; more than one class repeat in
/// turn, as in the alphabets where capital and small letters alternate. What is not listed is
/// `OTHER`.
///
/// The source is the Unicode data of the regex engine that tiktoken-rs uses, so that both stay
/// equal; a test compares every scalar value and says how to write the file again.
const DATA: &str = include_str!("chars/classes.txt");

/// Code points per block of the table.
const BLOCK: usize = 256;

/// One past the last code point.
const CODE_POINTS: usize = 0x11_0000;

/// The class of every character, as a table in two stages.
pub(super) struct Classes {
    /// By byte; 0, which is no class, for bytes that are not ASCII: a loop over ASCII stops there.
    ascii: [u8; 256],
    /// The block of each 256 code points. Equal blocks are kept once.
    index: Vec<u16>,
    blocks: Vec<[u8; BLOCK]>,
}

/// The one table of the process.
pub(super) static CLASSES: LazyLock<Classes> = LazyLock::new(|| Classes::parse(DATA));

impl Classes {
    fn parse(data: &str) -> Self {
        let mut flat = vec![OTHER; CODE_POINTS];
        for line in data.lines() {
            let mut fields = line.split(' ');
            let mut number = || usize::from_str_radix(fields.next().unwrap_or(""), 16).unwrap_or(0);
            let (first, last) = (number(), number());
            let classes = fields.next().unwrap_or("").bytes().map(class_of_letter);
            for (slot, class) in flat[first..=last].iter_mut().zip(classes.cycle()) {
                *slot = class;
            }
        }
        flat[usize::from(b'\r')] = NEWLINE;
        flat[usize::from(b'\n')] = NEWLINE;

        let mut ascii = [0; 256];
        ascii[..128].copy_from_slice(&flat[..128]);
        let mut blocks: Vec<[u8; BLOCK]> = Vec::new();
        let mut index = Vec::with_capacity(CODE_POINTS / BLOCK);
        for chunk in flat.chunks_exact(BLOCK) {
            let known = blocks.iter().position(|block| block == chunk).unwrap_or_else(|| {
                let mut block = [0; BLOCK];
                block.copy_from_slice(chunk);
                blocks.push(block);
                blocks.len() - 1
            });
            // There are 4,352 blocks at most.
            index.push(known as u16);
        }
        Self { ascii, index, blocks }
    }

    /// The class of an ASCII byte; 0 for any other byte.
    #[inline(always)]
    pub(super) fn ascii(&self, byte: u8) -> u8 {
        self.ascii[usize::from(byte)]
    }

    /// The class of a code point below 0x110000.
    #[inline]
    pub(super) fn of(&self, code_point: usize) -> u8 {
        let block = usize::from(self.index[code_point / BLOCK]);
        self.blocks[block][code_point % BLOCK]
    }
}

/// The letter of a class in the data file.
fn class_of_letter(letter: u8) -> u8 {
    match letter {
        b'U' => UPPER,
        b'L' => LOWER,
        b'O' => UNCASED,
        b'M' => MARK,
        b'N' => NUMBER,
        b'S' => SPACE,
        _ => OTHER,
    }
}
