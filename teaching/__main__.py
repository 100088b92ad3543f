"""Command line of the assignments: ``python -m teaching assignments`` and ``… grade FOLDER``."""

import csv
import os
import sys
from pathlib import Path

import click

from gapkit import InputError
from teaching.course import COURSE, SOURCES, Variant, build
from teaching.faults import FAULTS, costly
from teaching.grade import grade_folder
from teaching.student import Limits


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Build the assignments for students, and grade what they hand in."""


@group.command()
@click.option("--source", type=click.Path(path_type=Path), default=SOURCES, help="Folder of the sources.")
@click.option("--course", type=click.Path(path_type=Path), default=COURSE, help="Where to build.")
@click.option("--seed", type=int, help="Seed of this year's variant; answers differ with it.")
@click.option("--dataset", help="Embeddings of this year's variant, such as miniclip-t0.01/scenes100.")
def assignments(source: Path, course: Path, seed: int | None, dataset: str | None) -> None:
    """Build the students' notebooks: solutions stubbed, hidden tests taken out."""
    for path in build(sources=source, course=course, variant=Variant(seed, dataset)).values():
        click.echo(str(path))


@group.command()
@click.argument("submitted", type=click.Path(path_type=Path))
@click.option("--course", type=click.Path(path_type=Path), default=COURSE, help="What `assignments` built.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/graded"), help="For the results.")
@click.option("--rubric", type=click.Path(path_type=Path), help="CSV of points for written answers.")
@click.option(
    "--forgive", multiple=True, type=click.Choice(list(FAULTS)), help="Fault that costs only its tasks."
)
@click.option("--jobs", type=click.IntRange(1), default=min(2, os.cpu_count() or 1), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the tests' random inputs.")
@click.option(
    "--cell-seconds", type=float, default=Limits.cell, show_default=True, help="For a cell or a call."
)
@click.option("--total-seconds", type=float, default=Limits.total, show_default=True, help="For a notebook.")
@click.option(
    "--memory-mib", type=int, default=Limits.memory >> 20, show_default=True, help="Beyond the imports."
)
def grade(
    submitted, course, out, rubric, forgive, jobs, seed, cell_seconds, total_seconds, memory_mib
) -> None:
    """Grade every notebook below SUBMITTED; write points.csv, tasks.csv, report.md and feedback pages."""
    limits = Limits(cell=cell_seconds, total=total_seconds, memory=memory_mib << 20)
    graded = grade_folder(
        submitted, course=course, out=out, limits=limits, jobs=jobs, seed=seed, forgiven=tuple(forgive),
        rubric=read_rubric(rubric) if rubric else None, progress=click.echo,
    )  # fmt: skip
    spoilt = sum(bool(costly(one.faults, forgive)) for one in graded)
    click.echo(f"{len(graded)} graded, {spoilt} with faults; see {out / 'report.md'}")


def read_rubric(path: Path) -> dict[tuple[str, str, str], float]:
    """Points for written answers from a CSV with the columns student, assignment, task and points."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {
                (row["student"], row["assignment"], row["task"]): float(row["points"])
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, TypeError, ValueError) as fault:
        raise InputError(
            f"cannot read {path} as points for written answers (columns student, assignment, task, points): {fault}"
        ) from fault


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        group.main(prog_name="python -m teaching", standalone_mode=True)
    except InputError as fault:
        click.echo(f"Error: {fault}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
