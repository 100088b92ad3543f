"""Measure, and write docs/benchmarks.md; `make bench` calls it.

    python -m benchmarks.run
    python -m benchmarks.run --quick                     # smaller problems, some minutes
    python -m benchmarks.run --only redraws --strict     # print one section; exit code 1 if a bar is missed
    python -m benchmarks.run --only redraws --out docs/benchmarks.md     # measure one section of the page anew

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
    return "\n## ".join([text, *(_section(name, rows) for name, rows in sections.items())])


def _section(name: str, rows: list[Row]) -> str:
    said = inspect.getdoc(importlib.import_module(f"benchmarks.{name}"))
    return f"{SECTIONS[name]}\n\n{said}\n\n{table(rows)}"


def renewed(page: str, sections: dict[str, list[Row]]) -> str:
    """A page as `page` writes it, with some of its sections, or new ones, measured anew."""
    head, *old = page.split("\n## ")
    parts = {part.partition("\n")[0]: part for part in old}
    short = parts.pop("What falls short", "").splitlines()
    for name, rows in sections.items():
        parts[SECTIONS[name]] = _section(name, rows)
    order = [parts[title] for title in SECTIONS.values() if title in parts]
    lines = [line for part in order for line in part.splitlines()]
    missed = {
        *short[4:],
        *table(row for rows in sections.values() for row in rows if row.falls_short).splitlines()[2:],
    }
    kept = sum(line.startswith("| ") and not line.endswith((" |  |", "| bar |", "--- |")) for line in lines)
    found = "\n".join([*table([]).splitlines(), *(line for line in lines if line in missed)])
    if not missed.intersection(lines):
        found = f"Nothing: all {kept} bars are kept."
    return "\n## ".join([head, f"What falls short\n\n{found}\n", *order])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the table in one go; with ``--only`` it is written, or a section of it renewed, where ``--out`` says."""
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
        old = out.read_text(encoding="utf-8") if options.only and out.is_file() else ""
        write_text(out, renewed(old, sections) if old else page(sections))
        print(f"wrote {out}")
    return int(options.strict and any(row.falls_short for rows in sections.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
