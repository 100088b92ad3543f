"""Measure, and write docs/benchmarks.md; `make bench` calls it.

    python -m benchmarks.run
    python -m benchmarks.run --quick                     # smaller problems, some minutes
    python -m benchmarks.run --only redraws --strict     # print one section; exit code 1 if a bar is missed

Each module of `SECTIONS` has a function ``rows(quick=…, repeats=…)`` that gives its `Row`s.
"""

import argparse
import importlib
import inspect
import os
import platform
import sys
from pathlib import Path

import torch

from benchmarks.clock import ROOT
from benchmarks.rows import Row, shortfalls, table
from gapkit._files import write_text

SECTIONS = {
    "robustness": "Robustness",
    "geometry": "Geometry",
    "dynamics": "Training dynamics",
    "embedding": "Embedding",
    "engine": "Engine",
    "starting": "Starting",
    "redraws": "Redraws of the explorers",
    "lessons": "Lessons",
    "grading": "Grading",
}
"""Module of this folder to its heading."""
TABLE = ROOT / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Made by `make bench`, which writes this file; nothing in it is written by hand. No test asserts a time: what takes
time or memory is measured here. What counts are the ratios, each measured side by side in one run on one machine;
the seconds are those of that machine. Extrapolated times say so. `make bench ARGS="--only redraws --strict"` prints
one section and ends with exit code 1 where a bar is missed.

"""


def measure(name: str, *, quick: bool, repeats: int) -> list[Row]:
    """The rows of one section, printed as they come."""
    found = []
    if hasattr(os, "sync"):
        os.sync()  # gigabytes that an earlier section wrote would make this one wait for the disk
    for row in importlib.import_module(f"benchmarks.{name}").rows(quick=quick, repeats=repeats):
        mark = "  FALLS SHORT" if row.falls_short else ""
        print(" | ".join(filter(None, row.cells())) + mark, flush=True)
        found.append(row)
    return found


def page(sections: dict[str, list[Row]]) -> str:
    """The whole file."""
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"
    card = (
        "" if torch.cuda.is_available() else " No graphics card was at hand: rows that need one are left out."
    )
    text = HEAD + f"Machine: {machine}.{card}\n\n## What falls short\n\n" + shortfalls(sections)
    for name, rows in sections.items():
        said = inspect.getdoc(importlib.import_module(f"benchmarks.{name}"))
        text += f"\n## {SECTIONS[name]}\n\n{said}\n\n{table(rows)}"
    return text


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the table in one go; with ``--only`` it is written only where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    parser.add_argument("--repeats", type=int, default=3, help="of which the best counts")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="one section; repeatable")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--out", type=Path, help=f"instead of docs/{TABLE.name}")
    options = parser.parse_args(arguments)
    sections = {}
    for name in options.only or SECTIONS:
        print(f"\n{SECTIONS[name]}", flush=True)
        sections[name] = measure(name, quick=options.quick, repeats=options.repeats)
    print(f"\nWhat falls short\n{shortfalls(sections)}")
    out = options.out or (None if options.only else TABLE)
    if out is not None:
        write_text(out, page(sections))
        print(f"wrote {out}")
    return int(options.strict and any(row.falls_short for rows in sections.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
