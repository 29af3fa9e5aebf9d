#!/usr/bin/env python3
"""Writes sql/price_book.sql from two published price lists.

A price is taken from genai-prices, and only where litellm states the same one: each list has errors of its own, and an
agreement of two independent ones is the best check there is without a bill. Where they differ is listed in
differences.tsv beside this script.

Neither package is imported: prices are read from the wheels as data, so nothing of them runs here.
"""

import argparse
import ast
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile
from decimal import Decimal

GENAI_PRICES = ("genai-prices", "0.2.3")
LITELLM = ("litellm", "1.109.1")

PROVIDERS = ("openai", "anthropic")
MODES = ("chat", "responses", "completion", "embedding")
# Before any of these models existed; -infinity would do for the comparison but not for date arithmetic.
ALWAYS = "1970-01-01"

# Column of the price book: (unit in genai-prices, key in litellm).
UNITS = {
    "input_price": ("input_mtok", "input_cost_per_token"),
    "cache_read_price": ("cache_read_mtok", "cache_read_input_token_cost"),
    "cache_write_price": ("cache_write_mtok", "cache_creation_input_token_cost"),
    "cache_write_1h_price": ("cache_write_1h_mtok", "cache_creation_input_token_cost_above_1hr"),
    "output_price": ("output_mtok", "output_cost_per_token"),
    "reasoning_price": (None, "output_cost_per_reasoning_token"),
}
# Text models only: the book has no columns for other units.
OTHER_UNITS = re.compile(r"audio|image|video|hours|mchars|requests")
OTHER_MODELS = re.compile(r"audio|realtime|image|transcribe|tts")
# Each answer of these comes with searches that are billed by the request and are in no token count.
ALWAYS_SEARCHES = re.compile(r"-search-|deep-research")
COLUMNS = (
    "model", "provider", "currency", "effective_at", "max_input_tokens", *UNITS, "source", "source_date",
)


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genai-wheel", type=pathlib.Path, help="use this wheel instead of downloading the pinned one")
    parser.add_argument("--litellm-wheel", type=pathlib.Path, help="use this wheel instead of downloading the pinned one")
    parser.add_argument("--output", type=pathlib.Path, default=here.parent.parent / "sql" / "price_book.sql")
    parser.add_argument("--differences", type=pathlib.Path, default=here / "differences.tsv")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        genai = open_wheel(arguments.genai_wheel, GENAI_PRICES, scratch)
        litellm = open_wheel(arguments.litellm_wheel, LITELLM, scratch)
        rows, differences = compare(Genai(genai), read_litellm(litellm))
    arguments.output.write_text(to_sql(rows), encoding="utf-8")
    lines = ["\t".join(("model", "provider", "outcome", "field", "genai-prices", "litellm"))]
    lines += ["\t".join(line) for line in sorted(differences)]
    arguments.differences.write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = {row["model"] for row in rows}
    print(f"{len(names)} models in {len(rows)} rows; {len(differences)} differences", file=sys.stderr)


def open_wheel(path, pin, scratch):
    name, version = pin
    if path is None:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", scratch, f"{name}=={version}"]
        subprocess.run(command, check=True)
        path = next(pathlib.Path(scratch).glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    # The version goes into every row, so another one than the pinned would make the rows lie.
    if not path.name.startswith(f"{name.replace('-', '_')}-{version}-"):
        sys.exit(f"{path.name} is not {name} {version}; change the pin in this script together with the wheel")
    return zipfile.ZipFile(path)


class Genai:
    """The data module of genai-prices: one long literal of constructor calls, read without running it."""

    def __init__(self, wheel):
        text = wheel.read("genai_prices/data.py").decode("utf-8")
        tree = ast.parse(text)
        providers = next(literal(node.value) for node in tree.body if isinstance(node, ast.AnnAssign))
        self.models = {provider["id"]: provider["models"] for provider in providers if provider["id"] in PROVIDERS}
        # The wheel carries no date of its own; the last day on which its authors verified a price stands for it.
        verified = re.findall(r"verified on (\d{4}-\d{2}-\d{2})", repr(self.models))
        self.date = max(verified)
        self.source = f"{GENAI_PRICES[0]} {GENAI_PRICES[1]} (PyPI)"

    def find(self, provider, name):
        return next((model for model in self.models[provider] if matches(model["match"], name)), None)


def literal(node):
    """The value of a literal; a call becomes a dict of its arguments under its name, a decimal or date itself."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {literal(key): literal(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        positional = [literal(item) for item in node.args]
        if name == "Decimal":
            return Decimal(positional[0])
        if name == "datetime.date":
            return datetime.date(*positional)
        return {"": name, **{item.arg: literal(item.value) for item in node.keywords}}
    return ast.unparse(node)


def matches(clause, name):
    kind = clause[""]
    value = next(value for key, value in clause.items() if key)
    text = name.lower()
    match kind:
        case "ClauseEquals":
            return text == value.lower()
        case "ClauseStartsWith":
            return text.startswith(value.lower())
        case "ClauseEndsWith":
            return text.endswith(value.lower())
        case "ClauseContains":
            return value.lower() in text
        case "ClauseRegex":
            return re.search(value, text) is not None
        case "ClauseOr":
            return any(matches(part, name) for part in value)
        case "ClauseAnd":
            return all(matches(part, name) for part in value)
    sys.exit(f"unknown clause {kind}")


def read_litellm(wheel):
    text = wheel.read("litellm/model_prices_and_context_window_backup.json")
    # Decimal keeps 2.5e-06 exact; a float would not survive the multiplication by a million.
    return json.loads(text, parse_float=Decimal)


class LeftOut(Exception):
    """Why a model has no place in the book, with what each source says."""

    def __init__(self, field, genai="", litellm=""):
        super().__init__(field)
        self.cells = (field, genai, litellm)


def compare(genai, litellm):
    """Rows of the book, and where the sources differ."""
    periods, differences, doubtful = {}, [], []
    for name, entry in litellm.items():
        provider = entry.get("litellm_provider")
        if provider not in PROVIDERS or entry.get("mode") not in MODES or "/" in name:
            continue
        try:
            found, bounds = model_periods(genai, provider, name, entry)
        except LeftOut as reason:
            differences.append((name, provider, "left out", *reason.cells))
            doubtful.append((name, provider))
            continue
        periods[name] = (provider, found)
        if bounds:
            differences.append((name, provider, "smaller bound taken", "max_input_tokens", *bounds))
    rows = []
    for name, (provider, found) in periods.items():
        # The lookup falls back to the undated name, so a row that says the same is only weight.
        if periods.get(undated(name)) != (provider, found):
            rows += [row(genai, name, provider, period) for period in found]
    # A dated name in doubt must not fall back to a price that nobody says is its own: without prices it is refused.
    rows += [row(genai, name, provider, {"effective_at": ALWAYS}) for name, provider in doubtful
             if undated(name) in periods]
    rows.sort(key=lambda row: (row["provider"], row["model"], row["effective_at"]))
    return rows, differences


def row(genai, name, provider, period):
    fixed = {"model": name, "provider": provider, "currency": "USD", "source": genai.source, "source_date": genai.date}
    return {**dict.fromkeys(COLUMNS), **period, **fixed}


def undated(name):
    match = re.fullmatch(r"(.+)(?:-\d{4}-\d{2}-\d{2}|[-@]20\d{6}|-latest)", name)
    return match and match[1]


def model_periods(genai, provider, name, entry):
    """The prices of one model, each with the day from which it holds; and the two bounds if they differ."""
    if OTHER_MODELS.search(name):
        raise LeftOut("not a text model")
    if ALWAYS_SEARCHES.search(name):
        raise LeftOut("billed by the search as well")
    model = genai.find(provider, name)
    if model is None:
        raise LeftOut("model", "absent", "present")
    prices = model["prices"]
    periods = []
    for part in prices if isinstance(prices, list) else [{"prices": prices}]:
        constraint = part.get("constraint")
        if constraint and constraint[""] != "StartDateConstraint":
            raise LeftOut("price depends on the time of day", constraint[""])
        start = str(constraint["start_date"]) if constraint else ALWAYS
        periods.append(dict(genai_period(part["prices"], entry["mode"]), effective_at=start))
    current = max((period for period in periods if period["effective_at"] <= genai.date),
                  key=lambda period: period["effective_at"])
    theirs = litellm_period(entry)
    check(current, theirs)
    bounds = (current["max_input_tokens"], theirs["max_input_tokens"])
    if bounds[0] == bounds[1]:
        return periods, None
    # Up to the smaller bound both say that the price is right; beyond it one of them says that it is not.
    current["max_input_tokens"] = min(bound for bound in bounds if bound)
    return periods, tuple(plain(bound) for bound in bounds)


def genai_period(prices, mode):
    others = [unit for unit in prices if OTHER_UNITS.search(unit)]
    if others:
        raise LeftOut("has other units than text", ",".join(others))
    period, thresholds = {}, set()
    for column, (unit, _) in UNITS.items():
        price = prices.get(unit) if unit else None
        if isinstance(price, dict):
            thresholds.add(min(tier["start"] for tier in price["tiers"]))
            price = price["base"]
        period[column] = price
    if period["input_price"] is None or (period["output_price"] is None and mode != "embedding"):
        raise LeftOut("no price for input or output")
    # The first threshold bounds them all: above it at least one price is another.
    return dict(period, max_input_tokens=min(thresholds, default=None))


def litellm_period(entry):
    period = {}
    for column, (_, key) in UNITS.items():
        price = entry.get(key)
        period[column] = None if price is None else Decimal(price) * 1_000_000
    tiers = [int(match[1]) * 1000 for key in entry if (match := re.search(r"_cost.*_above_(\d+)k_tokens", key))]
    return dict(period, max_input_tokens=min(tiers, default=None))


def check(ours, theirs):
    for column in UNITS:
        mine, other = ours[column], theirs[column]
        # litellm writes a zero where nothing can be charged, and reasoning has a price of its own only here and there.
        if column == "output_price" and mine is None and not other:
            continue
        if column == "reasoning_price" and other in (None, theirs["output_price"]):
            continue
        if mine != other:
            raise LeftOut(column, plain(mine), plain(other))


def plain(number):
    if number is None:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_sql(rows):
    lines = [
        "-- Default prices in US dollars per 1,000,000 tokens. Written by pgrx-config/price-book/generate.py; do not edit.",
        "-- An effective_at in 1970 means that the source names no earlier price. NULL is no price, not a price of zero.",
        "",
        f"INSERT INTO tokbudget.price ({', '.join(COLUMNS)}) VALUES",
    ]
    values = [", ".join(to_literal(column, row[column]) for column in COLUMNS) for row in rows]
    return "\n".join(lines) + "\n" + ",\n".join(f"    ({value})" for value in values) + ";\n"


def to_literal(column, value):
    if value is None:
        return "NULL"
    if column == "effective_at":
        return f"'{value} 00:00:00+00'"
    if isinstance(value, (int, Decimal)):
        return plain(value)
    return "'" + value.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
