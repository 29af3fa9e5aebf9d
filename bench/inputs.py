"""Texts that are hard for a tokenizer: what a hostile or careless client sends.

Every text is made anew from the same seed, so that two runs see the same bytes.
"""

import base64
import random
import statistics
import string
from collections.abc import Callable

from session import Session

KB, MB = 1024, 1024 * 1024

# Common Chinese characters of one block; real text has punctuation between them.
HANZI = (0x4E00, 0x8000)
COMBINING = (0x0300, 0x036F)


def repeated(unit: str) -> Callable[[random.Random, int], str]:
    return lambda _, size: unit * (size // len(unit.encode()) + 1)


def drawn(alphabet: str) -> Callable[[random.Random, int], str]:
    width = min(len(character.encode()) for character in set(alphabet))
    return lambda rng, size: "".join(rng.choices(alphabet, k=size // width + 1))


def block(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


def random_unicode(rng: random.Random, size: int) -> str:
    # Without the surrogates, which are no characters, and without zero, which PostgreSQL does not store.
    ranges = [
        range(0x1, 0x80),
        range(0x80, 0x800),
        range(0x800, 0xD800),
        range(0xE000, 0x10000),
        range(0x10000, 0x110000),
    ]
    return "".join(chr(rng.choice(ranges[index])) for index in rng.choices(range(5), k=size // 2))


def words_of(length: int) -> Callable[[random.Random, int], str]:
    def make(rng: random.Random, size: int) -> str:
        letters = "".join(rng.choices(string.ascii_lowercase, k=size))
        return " ".join(letters[start : start + length] for start in range(0, size, length))

    return make


def no_space_words(rng: random.Random, size: int) -> str:
    words = "the token budget international account because reservation of government and limit under".split()
    return "".join(rng.choices(words, k=size // 2))


def runs_of_dashes(rng: random.Random, size: int) -> str:
    """Runs of any length, so that no short cut for one long repetition helps."""
    return "".join("-" * rng.randrange(4000) + "=" for _ in range(size // 1000))


def combining_marks(rng: random.Random, size: int) -> str:
    return "".join("a" + "".join(rng.choices(block(*COMBINING), k=8)) for _ in range(size // 17 + 1))


def spaces_then_letter(_: random.Random, size: int) -> str:
    return " " * (size - 1) + "x"


def base64_lines(rng: random.Random, size: int) -> str:
    return base64.b64encode(rng.randbytes(size)).decode()


KINDS: dict[str, Callable[[random.Random, int], str]] = {
    "one letter": repeated("a"),
    "spaces": repeated(" "),
    "spaces, then a letter": spaces_then_letter,
    "tabs": repeated("\t"),
    "tab and space": repeated("\t "),
    "newlines": repeated("\n"),
    "CR LF": repeated("\r\n"),
    "no-break spaces": repeated("\u00a0"),
    "NBSP and digit": repeated(" \u00a01"),
    "digits": repeated("7"),
    "random digits": drawn(string.digits),
    "dashes": repeated("-"),
    "equals signs": repeated("="),
    "slashes": repeated("/"),
    "-=-=": repeated("-="),
    "random - and =": drawn("-="),
    "runs of dashes": runs_of_dashes,
    "random space and tab": drawn(" \t"),
    "random CR and LF": drawn("\r\n"),
    "random punctuation": drawn(string.punctuation),
    "apostrophes and s": repeated("'s"),
    "random ASCII": drawn(string.printable),
    "random Latin-1": drawn(block(0x20, 0x7E) + block(0xA0, 0xFF)),
    "random Unicode": random_unicode,
    "random letters": drawn(string.ascii_lowercase),
    "random a and b": drawn("ab"),
    "words without spaces": no_space_words,
    "words of 31 letters": words_of(31),
    "words of 4,000 letters": words_of(4000),
    "Chinese, no punctuation": drawn(block(*HANZI)),
    "one Chinese character": repeated("\u7684"),
    "base64": base64_lines,
    "letter and combining marks": combining_marks,
    "one emoji": repeated("\U0001f600"),
    "emoji with joiners": repeated("\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    "zero-width joiners": repeated("\u200d"),
}


def cut(text: str, size: int) -> str:
    """The beginning of `text` with at most `size` bytes."""
    return text.encode()[:size].decode(errors="ignore")


def make(kind: str, size: int) -> str:
    """A text of that kind with `size` bytes, but for an incomplete character at the end."""
    text = cut(KINDS[kind](random.Random(f"tokbudget {kind}"), size), size)
    assert len(text.encode()) > size - 4, kind
    return text


class HardTexts:
    """A table of texts of one kind after the other, and how long it takes to count them."""

    def __init__(self, session: Session, sizes: list[int]):
        self.session = session
        self.sizes = sizes
        session.run("CREATE UNLOGGED TABLE hard_texts (size integer NOT NULL, body text NOT NULL)")
        # Not compressed, so that reading them is the least part of counting them.
        session.run("ALTER TABLE hard_texts ALTER body SET STORAGE EXTERNAL")

    def load(self, text: str) -> None:
        """Stores the beginning of the text in every size.

        For a size below 1 MB these are all slices of the first 1 MB, so that the time of the statement around them
        does not count.
        """
        self.session.run("TRUNCATE hard_texts")
        for size in self.sizes:
            whole = cut(text, max(size, MB)).encode()
            slices = [whole[start : start + size].decode(errors="ignore") for start in range(0, len(whole), size)]
            self.session.load("hard_texts (size, body)", [(size, body) for body in slices])

    def nanoseconds(self, size: int, model: str, runs: int = 3) -> float:
        """The median time per byte, on the processor."""
        statement = f"SELECT sum(tb_count_tokens(body, '{model}')) FROM hard_texts WHERE size = {size}"
        return statistics.median(self.session.run(statement).processor for _ in range(runs)) / max(size, MB) * 1e9
