"""Run the benchmarks and write their table to docs/benchmarks.md; `make bench` calls it.

python benchmarks/run.py
python benchmarks/run.py --quick        # smaller problems, a few minutes
"""

import argparse
import platform
from pathlib import Path

import bench_embedding
import bench_geometry
import bench_robustness
import torch

TABLE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Made by `make bench`. What counts are the ratios, each measured in one run on one machine; the seconds are
those of that machine. Extrapolated times say so.

"""


def cells(row: dict) -> list[str]:
    """What was measured, the result, against what, the ratio, the bar."""
    if "megabytes" in row:
        bar = row.get("bar")
        return [row["what"], f"{row['megabytes']:.0f} MB", "", "", "" if bar is None else f"under {bar:g} MB"]
    ratio, bar = "", ""
    if "speedup" in row:
        ratio = f"{row['speedup']:,.3g} times faster"
        bar = "" if row["least_speedup"] is None else f"at least {row['least_speedup']:,}"
    elif "ratio" in row:
        ratio = f"{row['ratio']:.2f}"
        bar = "" if row.get("bar") is None else f"at most {row['bar']:g}"
    elif row.get("bar_seconds") is not None:
        bar = f"under {row['bar_seconds']:g} s"
    against = f"{row['against']} ({row['its_seconds']:.3g} s)" if "against" in row else ""
    return [row["what"], f"{row['seconds']:.3f} s", against, ratio, bar]


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table."""
    lines = [["what", "result", "against", "ratio", "bar"], ["---"] * 5, *map(cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, then write the table in one go."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"
    card = (
        ""
        if torch.cuda.is_available()
        else " No graphics card was at hand: the row that compares one is left out."
    )
    text = HEAD + f"Machine: {machine}.{card}\n\n## Robustness\n\n"
    text += table(bench_robustness.results(quick=options.quick, repeats=options.repeats))
    text += "\n## Geometry\n\n"
    text += table(
        bench_geometry.results(pairs=50_000 if options.quick else 1_000_000, repeats=options.repeats)
    )
    text += "\n## Embedding\n\n" + table(
        bench_embedding.results(quick=options.quick, repeats=options.repeats)
    )
    options.out.write_text(text, encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
