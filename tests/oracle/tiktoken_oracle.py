#!/usr/bin/env python3
"""Compares token counts with OpenAI's own tiktoken, without a network.

Usage:
    TOKBUDGET_ORACLE_FILE=cases.jsonl cargo test --release --no-default-features --lib oracle_file
    pip install tiktoken
    python3 tests/oracle/tiktoken_oracle.py cases.jsonl

Each line of the file is an object with "encoding", "text" and "tokens" or "count" or both.
tiktoken would download its vocabularies; they are taken from the source of the tiktoken-rs crate
instead, and tiktoken itself verifies their checksums. Exit status 1 if any case differs.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = "https://openaipublic.blob.core.windows.net"
VOCABULARIES = [
    "gpt-2/encodings/main/vocab.bpe",
    "gpt-2/encodings/main/encoder.json",
    "encodings/r50k_base.tiktoken",
    "encodings/p50k_base.tiktoken",
    "encodings/cl100k_base.tiktoken",
    "encodings/o200k_base.tiktoken",
]

# A report of a broken build would be as long as the file otherwise.
FAILURES_SHOWN = 20


def find_assets() -> pathlib.Path:
    """The directory of the vocabularies inside the source of tiktoken-rs."""
    manifest = pathlib.Path(__file__).resolve().parents[2] / "Cargo.toml"
    command = ["cargo", "metadata", "--format-version", "1", "--manifest-path", str(manifest)]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for package in metadata["packages"]:
        if package["name"] == "tiktoken-rs":
            return pathlib.Path(package["manifest_path"]).parent / "assets"
    raise SystemExit("tiktoken-rs is not a dependency of this project")


def fill_cache(directory: str) -> None:
    """tiktoken looks for a file with the SHA-1 of the address as its name."""
    assets = find_assets()
    for path in VOCABULARIES:
        url = f"{SOURCE}/{path}"
        target = pathlib.Path(directory) / hashlib.sha1(url.encode()).hexdigest()
        shutil.copyfile(assets / pathlib.Path(path).name, target)


def check(case: dict, get_encoding) -> str | None:
    """What is wrong with the case, or None."""
    expected = get_encoding(case["encoding"]).encode_ordinary(case["text"])
    if "tokens" in case and case["tokens"] != expected:
        return f"tokens {case['tokens'][:20]}, but tiktoken has {expected[:20]}"
    if "count" in case and case["count"] != len(expected):
        return f"count {case['count']}, but tiktoken has {len(expected)}"
    if "tokens" not in case and "count" not in case:
        return "the case has neither tokens nor count"
    return None


def main() -> int:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as cache:
        fill_cache(cache)
        os.environ["TIKTOKEN_CACHE_DIR"] = cache
        # Imported here, because tiktoken is only needed once the cache is in place.
        import tiktoken

        with open(sys.argv[1], encoding="utf-8", newline="\n") as cases:
            for number, line in enumerate(cases, start=1):
                case = json.loads(line)
                problem = check(case, tiktoken.get_encoding)
                if problem is None:
                    passed += 1
                    continue
                failed += 1
                if failed <= FAILURES_SHOWN:
                    print(f"line {number}: {case['encoding']} {case['text'][:80]!r}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
