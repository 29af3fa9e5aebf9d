//! Texts to test with.

use std::path::{Path, PathBuf};

/// A small random number generator (SplitMix64): the same numbers on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub fn char(&mut self) -> char {
        loop {
            if let Some(c) = char::from_u32(self.below(0x11_0000) as u32) {
                return c;
            }
        }
    }

    fn char_between(&mut self, first: u32, last: u32) -> char {
        char::from_u32(first + self.below((last - first + 1) as usize) as u32).unwrap_or('x')
    }
}

/// What the patterns treat in special ways, and what is easily got wrong.
const TRICKY: &[&str] = &[
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\u{A0}",
    "\u{85}",
    "\u{2028}",
    "\u{3000}",
    "\u{200B}",
    "\u{1680}",
    "\u{B}",
    "\u{C}",
    "'",
    "'s",
    "'S",
    "'t",
    "'re",
    "'RE",
    "'Ve",
    "'m",
    "'ll",
    "'lL",
    "'d",
    "'\u{17F}",
    "\u{2019}s",
    "a",
    "B",
    "the",
    "The",
    "THE",
    "McDonald",
    "ABCdef",
    "\u{1C5}",
    "\u{1C8}x",
    "ʰ",
    "あ",
    "漢",
    "한",
    "ا",
    "א",
    "ß",
    "É",
    "é",
    "e\u{301}",
    "\u{301}",
    "\u{20DD}",
    "\u{FE0F}",
    "👍",
    "👩\u{200D}💻",
    "🇩🇪",
    "0",
    "12",
    "1234",
    "Ⅷ",
    "½",
    "٣",
    "²",
    "/",
    "//",
    "\\",
    "-",
    "--",
    "---",
    "=",
    "!!",
    "...",
    "{",
    "}",
    "\"",
    "\0",
    "\u{7F}",
    "\u{FFFD}",
    "<|endoftext|>",
    "<|start|>",
    "<|fim_prefix|>",
    "\u{10FFFF}",
    "\u{E000}",
    "_",
    "$",
    "€",
];

/// Blocks of letters of many scripts.
const SCRIPTS: &[(u32, u32)] = &[
    (0x20, 0x7E),
    (0xA0, 0x17F),
    (0x180, 0x24F),
    (0x300, 0x36F),
    (0x370, 0x3FF),
    (0x400, 0x4FF),
    (0x530, 0x58F),
    (0x590, 0x5FF),
    (0x600, 0x6FF),
    (0x900, 0x97F),
    (0xE00, 0xE7F),
    (0x10A0, 0x10FF),
    (0x1100, 0x11FF),
    (0x13A0, 0x13FF),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),
    (0x2100, 0x218F),
    (0x2C00, 0x2C7F),
    (0x3040, 0x30FF),
    (0x4E00, 0x9FFF),
    (0xA640, 0xA69F),
    (0xAB30, 0xABBF),
    (0xAC00, 0xD7A3),
    (0xFF00, 0xFFEF),
    (0x10400, 0x1044F),
    (0x1D400, 0x1D7FF),
    (0x1F300, 0x1FAFF),
    (0x1E900, 0x1E95F),
];

/// A random string of one of many kinds.
pub fn random_text(random: &mut Random, vocabulary: &dyn Fn(u64) -> Option<String>) -> String {
    let length = 1 + random.below(40);
    let mut text = String::new();
    match random.below(7) {
        0 => (0..length).for_each(|_| text.push(random.char())),
        1 => (0..length).for_each(|_| text.push_str(random.pick(TRICKY))),
        2 => {
            for _ in 0..length {
                let (first, last) = random.pick(SCRIPTS);
                for _ in 0..1 + random.below(6) {
                    text.push(random.char_between(first, last));
                }
                if random.below(2) == 0 {
                    text.push_str(random.pick(TRICKY));
                }
            }
        }
        3 => (0..length).for_each(|_| text.push(random.char_between(0, 0x7F))),
        4 => {
            for _ in 0..length {
                text.push_str(&vocabulary(random.next()).unwrap_or_default());
            }
        }
        5 => {
            for _ in 0..length {
                text.push_str(&vocabulary(random.next()).unwrap_or_default());
                text.push_str(random.pick(TRICKY));
            }
        }
        // Few symbols, so that runs and repetitions are frequent.
        _ => {
            let symbols: Vec<&str> = (0..3).map(|_| random.pick(TRICKY)).collect();
            for _ in 0..length {
                let symbol = random.pick(&symbols);
                text.push_str(&symbol.repeat(1 + random.below(9)));
            }
        }
    }
    if random.below(3) == 0 {
        for _ in 0..random.below(4) {
            text.push_str(random.pick(&[" ", "\n", "\t", "\r\n", "\u{A0}", "\u{3000}"]));
        }
    }
    text
}

/// Hostile texts of about `size` bytes, with names.
pub fn hostile(size: usize) -> Vec<(&'static str, String)> {
    let repeat = |unit: &str| unit.repeat(size / unit.len());
    let from = |seed: u64, f: &dyn Fn(&mut Random) -> char| {
        let mut random = Random::new(seed);
        let mut text = String::new();
        while text.len() < size {
            text.push(f(&mut random));
        }
        text
    };
    let words = "theinternationalcommunicationofinformationrequiresunderstandingbetweenpeople";
    let glued = {
        let mut random = Random::new(7);
        let mut text = String::new();
        while text.len() < size {
            let start = random.below(words.len() - 12);
            text.push_str(&words[start..start + 3 + random.below(9)]);
        }
        text
    };
    let runs = |seed: u64, symbols: &[char], longest: usize| {
        let mut random = Random::new(seed);
        let mut text = String::new();
        while text.len() < size {
            let symbol = random.pick(symbols);
            text.extend(std::iter::repeat_n(symbol, 1 + random.below(longest)));
        }
        text
    };
    let bytes = {
        let mut random = Random::new(3);
        let bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    vec![
        ("a", repeat("a")),
        ("A", repeat("A")),
        ("spaces", repeat(" ")),
        ("spaces and x", repeat(" ") + "x"),
        ("newlines", repeat("\n")),
        ("tab space", repeat("\t ")),
        ("tabs", repeat("\t")),
        ("space newline", repeat("  \n")),
        ("digits", from(1, &|random| random.char_between(0x30, 0x39))),
        ("zeros", repeat("0")),
        ("dashes", repeat("-")),
        ("equals", repeat("=")),
        ("slashes", repeat("/")),
        ("stars", repeat("*")),
        ("underscores", repeat("_")),
        ("dashes and equals", runs(11, &['-', '='], 2000)),
        ("dashes and others", runs(12, &['-', '=', '/', '*', '#', '.', '+'], 300)),
        ("dash equals", repeat("-=")),
        ("random symbols", runs(13, &['-', '=', '/', '*', '#', '.', '+', '<', '{'], 6)),
        ("lines of dashes", runs(14, &['-', '-', '-', '\n'], 700)),
        ("apostrophes", repeat("'")),
        ("contractions", repeat("'s")),
        ("glued words", glued),
        ("random letters", from(2, &|random| random.char_between(0x61, 0x7A))),
        ("capitals and small", from(4, &|random| random.pick(&['a', 'B', 'c', 'D', 'e']))),
        ("Chinese", from(5, &|random| random.char_between(0x4E00, 0x5FFF))),
        ("one ideogram", repeat("的")),
        ("capitals, ideograms", from(6, &|random| random.pick(&['A', 'B', 'C', 'Z', '的']))),
        ("marks", repeat("\u{301}")),
        ("mark capital", repeat("\u{301}A")),
        ("emoji", repeat("👍🏽")),
        ("random bytes", bytes),
        ("latin-1", from(8, &|random| random.char_between(0x80, 0xFF))),
        ("no-break space 1", repeat(" \u{A0}1")),
        ("ideographic space", repeat("\u{3000}")),
        (
            "base64",
            from(9, &|random| {
                random.pick(&b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".map(char::from))
            }),
        ),
        ("nul", repeat("\0")),
        ("end of text", repeat("<|endoftext|>")),
    ]
}

/// The repository's directory.
pub fn manifest_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Text files below `directory` with one of the extensions, in order of their names.
pub fn files_below(directory: &Path, extensions: &[&str], limit: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|extension| extensions.contains(&extension))
            {
                found.push(path);
                if found.len() == limit {
                    return found;
                }
            }
        }
    }
    found
}

/// Source code: the crates that cargo has unpacked to build this one.
pub fn source_files(limit: usize) -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    match home {
        Some(home) => files_below(&home.join("registry/src"), &["rs", "md", "toml", "json", "c", "h", "txt"], limit),
        None => Vec::new(),
    }
}

/// English prose of about 400 KB.
pub fn prose() -> String {
    let licenses = files_in(Path::new("/usr/share/common-licenses"));
    let fixture = manifest_dir().join("tests/fixtures/text/english.txt");
    let texts = licenses.into_iter().chain([fixture]);
    let mut prose: String = texts.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    prose = prose.repeat(400_000_usize.div_ceil(prose.len()));
    prose.truncate(prose.floor_char_boundary(400_000));
    prose
}

/// Prose, code and texts in other languages, joined from what every machine with Rust has.
pub fn real_texts() -> Vec<String> {
    let licenses = files_in(Path::new("/usr/share/common-licenses"));
    let fixtures = files_in(&manifest_dir().join("tests/fixtures/text"));
    let sources = source_files(super::rounds(400));
    licenses
        .into_iter()
        .chain(fixtures)
        .chain(sources)
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| text[..text.floor_char_boundary(200_000)].to_owned())
        .collect()
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    paths
}
