#!/usr/bin/env python3
"""Real texts of several kinds, cut into documents.

corpus.py DIRECTORY: makes DIRECTORY/text/KIND, each document ended by a zero byte. The texts come out of ordinary
Debian packages, which are downloaded and unpacked in DIRECTORY and not installed, and out of the sources of the
extension's own dependencies. What is there already is not made again.
"""

import gettext
import html.parser
import itertools
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Texts of these packages, by kind of text.
PACKAGES = [
    "postgresql-doc-15",  # English prose
    "installation-guide-amd64",  # the same prose in 19 languages
    "libreoffice-l10n-ar",  # user interface texts in languages without translated books
    "libreoffice-l10n-fa",
    "libreoffice-l10n-he",
    "libreoffice-l10n-hi",
    "libreoffice-l10n-pl",
    "libreoffice-l10n-th",
    "libreoffice-l10n-tr",
    "libreoffice-l10n-uk",
    "libpython3.11-stdlib",  # Python
    "iso-codes",  # JSON
    "unicode-cldr-core",  # names of emoji in all languages
    "fortunes",  # short texts in English
]

KIND_BYTES = 6_000_000
DOCUMENT_BYTES = 4096
# Longer source files are tables that a program wrote.
LONGEST_SOURCE = 100_000

Text = Iterable[str]


def fetch(directory: pathlib.Path) -> None:
    """Unpacks the packages, each in a directory of its own."""
    missing = [name for name in PACKAGES if not (directory / "package" / name).exists()]
    if not missing:
        return
    print(f"downloading {len(missing)} Debian packages of text (about 50 MB, once)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as download:
        command = ["apt-get", "-q", "download", *missing]
        done = subprocess.run(command, cwd=download, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{done.stderr}the texts cannot be downloaded; does `apt-get update` help?")
        for name in missing:
            [file] = pathlib.Path(download).glob(f"{name}_*.deb")
            unpacked = directory / "package" / f"{name}.part"
            subprocess.run(["dpkg-deb", "--extract", file, unpacked], check=True)
            unpacked.rename(directory / "package" / name)


class Prose(html.parser.HTMLParser):
    """The text of a page, a line per block, without the navigation."""

    BLOCKS = {"p", "div", "li", "dt", "dd", "tr", "pre", "h1", "h2", "h3", "h4", "br", "table", "ul", "ol", "dl"}
    HIDDEN = {"head", "script", "style"}
    NAVIGATION = {"navheader", "navfooter", "toc"}
    VOID = {"br", "hr", "img", "input", "link", "meta", "col"}

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        # Whether each open element hides its text, and whether it keeps its spaces.
        self.open: list[tuple[str, bool, bool]] = [("", False, False)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.BLOCKS:
            self.parts.append("\n")
        if tag not in self.VOID:
            _, hidden, preformatted = self.open[-1]
            hidden = hidden or tag in self.HIDDEN or dict(attrs).get("class") in self.NAVIGATION
            self.open.append((tag, hidden, preformatted or tag == "pre"))

    def handle_endtag(self, tag: str) -> None:
        # A page may leave elements open; they end with the one around them.
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth][0] == tag:
                del self.open[depth:]
                break
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        _, hidden, preformatted = self.open[-1]
        if not hidden:
            self.parts.append(data if preformatted else re.sub(r"[ \t\r\n]+", " ", data))


def page(file: pathlib.Path) -> str:
    parser = Prose()
    parser.feed(file.read_text(errors="replace"))
    parser.close()
    text = re.sub(r"[ \t]+$|^ +(?=\S)", "", "".join(parser.parts), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def shuffled(files: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The same order in every run, but not the alphabet's: a part of the files is a fair sample."""
    files = sorted(files)
    random.Random("tokbudget").shuffle(files)
    return files


def documents(texts: Text, size: int = DOCUMENT_BYTES) -> Iterator[str]:
    """Cuts texts into documents of about `size` bytes, at the end of a line or at least of a word."""
    for text in texts:
        text = text.replace("\0", "")
        while len(text.encode()) > size:
            head = text.encode()[:size].decode(errors="ignore")
            end = max(head.rfind("\n"), 0) + 1
            if end < len(head) // 2:
                end = max(head.rfind(" "), 0) + 1
            if end < len(head) // 2:
                end = len(head)
            yield text[:end]
            text = text[end:]
        # The rest, unless it is too short to count as a document.
        if len(text) > size // 4:
            yield text


def in_turn(*sources: Iterator[str]) -> Iterator[str]:
    """One document of each source after the other, as long as all have some; that is, equal shares of all."""
    return itertools.chain.from_iterable(zip(*sources))


def english(package: pathlib.Path) -> Iterator[str]:
    return documents(map(page, shuffled((package / "postgresql-doc-15").rglob("*.html"))))


def rust() -> Iterator[str]:
    """The sources of the extension's dependencies, which building it has downloaded."""
    crates = [pathlib.Path(package["manifest_path"]).parent for package in metadata()["packages"]]
    return documents(sources(crates, ".rs"))


def metadata() -> dict:
    command = ["cargo", "metadata", "--format-version", "1", "--manifest-path", ROOT / "Cargo.toml"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def sources(directories: list[pathlib.Path], suffix: str) -> Text:
    files = shuffled(file for directory in directories for file in directory.rglob(f"*{suffix}"))
    # A package may have links to files of other packages.
    files = [file for file in files if file.is_file() and file.stat().st_size < LONGEST_SOURCE]
    return (file.read_text(errors="ignore") for file in files)


def code(package: pathlib.Path) -> Iterator[str]:
    python = documents(sources([package / "libpython3.11-stdlib"], ".py"))
    return in_turn(rust(), python)


def messages(file: pathlib.Path) -> str:
    """The translations in a message catalogue."""
    with open(file, "rb") as opened:
        catalogue = gettext.GNUTranslations(opened)._catalog
    texts = (text.replace("~", "") for text in catalogue.values() if isinstance(text, str))
    return "\n".join(sorted(set(texts)))


def multilingual(package: pathlib.Path) -> Iterator[str]:
    guide = package / "installation-guide-amd64/usr/share/doc/installation-guide-amd64"
    english_lines = set()
    for file in (guide / "en").glob("*.html"):
        english_lines.update(page(file).splitlines())

    def translated(text: str) -> str:
        # What nobody has translated yet is there in English.
        return "\n".join(line for line in text.splitlines() if not line or line not in english_lines)

    languages = []
    for directory in sorted(guide.iterdir()):
        if directory.is_dir() and directory.name != "en":
            languages.append(documents([translated(page(file)) for file in shuffled(directory.glob("*.html"))]))
    for directory in sorted(package.glob("libreoffice-l10n-*")):
        catalogues = shuffled(directory.rglob("*.mo"))
        languages.append(documents(["\n".join(map(messages, catalogues))]))
    return in_turn(*languages)


def json_text(package: pathlib.Path) -> Iterator[str]:
    files = shuffled((package / "iso-codes").rglob("*.json"))
    lists = documents([file.read_text() for file in files])
    # The same build's dependencies, as a program writes JSON: in one line.
    dependencies = documents(json.dumps(entry, separators=(",", ":")) for entry in metadata()["packages"])
    return itertools.chain(lists, dependencies)


def emoji(package: pathlib.Path) -> Iterator[str]:
    pattern = re.compile(r'<annotation cp="([^"]*)">([^<]*)</annotation>\s*<annotation cp="\1" type="tts">([^<]*)<')

    def annotations(file: pathlib.Path) -> str:
        found = pattern.findall(html.unescape(file.read_text()))
        return "".join(
            f"{symbol} {name}: {keywords.replace(' | ', ', ')} {symbol}\n" for symbol, keywords, name in found
        )

    files = shuffled((package / "unicode-cldr-core").rglob("annotations/*.xml"))
    return in_turn(*[documents([text]) for text in map(annotations, files) if len(text) > 80_000])


def prompts(package: pathlib.Path) -> Iterator[str]:
    """Sayings, and paragraphs of the English prose, of 100 to 300 bytes."""
    files = (file for file in (package / "fortunes").rglob("games/fortunes/*") if not file.suffix)
    sayings = (text.strip() for file in shuffled(files) for text in file.read_text(errors="ignore").split("\n%\n"))
    paragraphs = (
        line for file in shuffled((package / "postgresql-doc-15").rglob("*.html")) for line in page(file).splitlines()
    )
    return (
        text for text in itertools.chain(sayings, paragraphs) if 100 <= len(text.encode()) <= 300 and "\0" not in text
    )


KINDS = {
    "english": english,
    "code": code,
    "multilingual": multilingual,
    "json": json_text,
    "emoji": emoji,
    "prompts": prompts,
}


def write(kind: str, directory: pathlib.Path) -> None:
    file = directory / "text" / kind
    if file.exists():
        return
    # A document that occurs again would be quicker to count than one that is new.
    seen: dict[str, None] = {}
    size = 0
    for document in KINDS[kind](directory / "package"):
        if document not in seen:
            seen[document] = None
            size += len(document.encode())
        if size > KIND_BYTES:
            break
    part = file.with_suffix(".part")
    part.write_bytes(b"".join(document.encode() + b"\0" for document in seen))
    part.rename(file)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    for name in ["package", "text"]:
        (directory / name).mkdir(parents=True, exist_ok=True)
    fetch(directory)
    for kind in KINDS:
        write(kind, directory)


if __name__ == "__main__":
    main()
