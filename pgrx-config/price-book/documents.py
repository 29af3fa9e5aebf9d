#!/usr/bin/env python3
"""Two published price lists as the files that tb_import_prices reads.

documents.py DIRECTORY [--genai-wheel FILE] [--litellm-wheel FILE]: writes litellm.json and genai.json there.

Neither package is imported: prices are read from the wheels as data, so nothing of them runs here. litellm ships its price
file as it is. genai-prices ships its data.json as one Python literal of constructor calls; it is turned back into the form
in which the project publishes it.
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
PRICE_FILE = "litellm/model_prices_and_context_window_backup.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--genai-wheel", type=pathlib.Path, help="use this wheel instead of downloading the pinned one")
    parser.add_argument("--litellm-wheel", type=pathlib.Path, help="use this wheel instead of downloading the pinned one")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        genai = open_wheel(arguments.genai_wheel, GENAI_PRICES, scratch)
        litellm = open_wheel(arguments.litellm_wheel, LITELLM, scratch)
        text = genai.read("genai_prices/data.py").decode("utf-8")
        (arguments.directory / "genai.json").write_text(to_json(providers(text)), encoding="utf-8")
        (arguments.directory / "litellm.json").write_bytes(litellm.read(PRICE_FILE))
    # The wheel carries no date of its own; the last day on which its authors verified a price stands for it.
    verified = re.findall(r"verified on (\d{4}-\d{2}-\d{2})", text)
    sources = {
        "genai": {"source": f"{GENAI_PRICES[0]} {GENAI_PRICES[1]} (PyPI)", "date": max(verified)},
        "litellm": {"source": f"{LITELLM[0]} {LITELLM[1]} (PyPI)", "date": max(verified)},
    }
    (arguments.directory / "sources.json").write_text(json.dumps(sources), encoding="utf-8")


def open_wheel(path, pin, scratch):
    name, version = pin
    if path is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--dest", scratch, f"{name}=={version}"], check=True)
        path = next(pathlib.Path(scratch).glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    # The version is named as the source of every price, so another one than the pinned would make them lie.
    if not path.name.startswith(f"{name.replace('-', '_')}-{version}-"):
        sys.exit(f"{path.name} is not {name} {version}; change the pin in this script together with the wheel")
    return zipfile.ZipFile(path)


def providers(text):
    """The list that the data module of genai-prices is."""
    return next(literal(node.value) for node in ast.parse(text).body if isinstance(node, ast.AnnAssign))


def literal(node):
    """The value of a literal. A call becomes the object that its constructor is read from, a decimal or a date itself."""
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
            return datetime.date(*positional).isoformat()
        if name == "datetime.time":
            return datetime.time(*positional).isoformat()
        # `or_` and `and_` are `or` and `and` in the published file, and what is None is left out.
        members = {item.arg.rstrip("_"): literal(item.value) for item in node.keywords}
        return {name: value for name, value in members.items() if value is not None}
    return ast.unparse(node)


def to_json(value):
    """JSON with every decimal as it is written: a detour over a float would lose digits."""
    text = json.dumps(value, default=lambda decimal: f"decimal:{decimal}")
    return re.sub(r'"decimal:([^"]*)"', r"\1", text)


if __name__ == "__main__":
    main()
