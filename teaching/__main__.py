"""Command line of the assignments: ``python -m teaching assignments``, ``… grade FOLDER`` and what goes with them."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

from gapkit import InputError
from teaching import confine
from teaching.course import COURSE, SOURCES, Variant, build
from teaching.grade import grade_folder
from teaching.release import links, release
from teaching.student import Limits

A_PATH = click.Path(path_type=Path)
course_option = click.option("--course", type=A_PATH, default=COURSE, help="What `assignments` built.")
unconfined_option = click.option("--unconfined", is_flag=True, help="Run submissions without the sandbox.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Build the assignments for students, and grade what they hand in."""


@group.command()
@click.option("--source", type=A_PATH, default=SOURCES, help="Folder of the sources.")
@click.option("--course", type=A_PATH, default=COURSE, help="Where to build.")
@click.option("--seed", type=int, help="Seed of this year's variant; answers differ with it.")
@click.option("--dataset", help="Embeddings of this year's variant, such as miniclip-t0.01/scenes100.")
def assignments(source: Path, course: Path, seed: int | None, dataset: str | None) -> None:
    """Build the students' notebooks: solutions stubbed, hidden tests taken out."""
    for path in build(sources=source, course=course, variant=Variant(seed, dataset)).values():
        click.echo(str(path))


@group.command("release")
@click.argument("folder", type=A_PATH)
@course_option
def make_release(folder: Path, course: Path) -> None:
    """Write the students' notebooks into FOLDER, to be pushed as a repository."""
    for path in release(course, folder):
        click.echo(str(path))


@group.command()
@click.argument("repository")
@click.option("--branch", default="main", show_default=True)
@click.option("--path", default="", help="Notebook to open, such as A1.ipynb.")
@click.option("--hub", default="", help="Address of a JupyterHub with nbgitpuller.")
def link(repository: str, branch: str, path: str, hub: str) -> None:
    """Links that open a release, pushed to REPOSITORY, on a JupyterHub, on Binder, on Colab."""
    for name, address in links(repository, branch=branch, path=path, hub=hub).items():
        click.echo(f"{name}: {address}")


@group.command()
@click.argument("submitted", type=A_PATH)
@course_option
@click.option("--out", type=A_PATH, default=Path("build/graded"), show_default=True, help="For the results.")
@click.option("--assignment", default="", help="What a hand-in is where nothing says so.")
@click.option("--roster", type=A_PATH, help="Export of Canvas or Moodle, or a CSV with id and name.")
@click.option("--export", type=click.Choice(["canvas", "moodle", "csv"]), help="Points for the platform too.")
@click.option("--rubric", type=A_PATH, help="rubric.csv, filled in: points for written answers.")
@click.option("--exceptions", type=A_PATH, help="CSV: student, assignment, forgive, days_late.")
@click.option("--late-percent", type=click.FloatRange(0, 100), default=0.0, help="Lost for a day late.")
@click.option("--jobs", type=click.IntRange(1), default=min(2, os.cpu_count() or 1), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the tests' random inputs.")
@click.option("--cell-seconds", default=Limits.cell, show_default=True, help="For a cell or a call.")
@click.option("--total-seconds", default=Limits.total, show_default=True, help="For a notebook.")
@click.option("--memory-mib", default=Limits.memory >> 20, show_default=True, help="Beyond the imports.")
@unconfined_option
def grade(
    submitted: Path,
    out: Path,
    cell_seconds: float,
    total_seconds: float,
    memory_mib: int,
    unconfined: bool,
    **given,
) -> None:
    """Grade what lies below SUBMITTED; write points.csv, tasks.csv, report.md, feedback pages and a gradebook."""
    limits = Limits(cell=cell_seconds, total=total_seconds, memory=memory_mib << 20)
    given |= {"out": out, "limits": limits, "confined": not unconfined, "progress": click.echo}
    graded = grade_folder(submitted, **given)
    spoilt = sum(bool(one.lost) for one in graded)
    click.echo(f"{len(graded)} graded, {spoilt} without points for a fault; see {out / 'report.md'}")


@group.command()
@click.argument("notebook", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@course_option
@click.option("--minimum", type=float, default=0.0, show_default=True, help="Exit code 1 below these points.")
@click.option("--json", "target", type=A_PATH, help="Write the result here.")
@unconfined_option
def autograde(notebook: Path, course: Path, minimum: float, target: Path | None, unconfined: bool) -> None:
    """Grade one NOTEBOOK, for a workflow: a line for each task, exit code 1 below --minimum."""
    with tempfile.TemporaryDirectory() as place:
        handed_in, out = Path(place, "in"), Path(place, "out")
        (handed_in / "student").mkdir(parents=True)
        shutil.copyfile(notebook, handed_in / "student" / notebook.name)
        (one,) = grade_folder(handed_in, course=course, out=out, confined=not unconfined)
    result, shown = one.result, ("task", "points", "most", "message")
    tasks = [{name: getattr(task, name) for name in shown} for task in result.tasks]
    facts = {"assignment": one.assignment, "points": result.points, "max_points": result.most}
    facts |= {"faults": list(map(str, one.faults)), "passed": result.points >= minimum, "tasks": tasks}
    for fault in one.faults:
        click.echo(str(fault))
    for task in result.tasks:
        click.echo(f"{task.task}: {task.points:g} of {task.most:g} {task.message}".rstrip())
    click.echo(f"{one.assignment or notebook.name}: {result.points:g} of {result.most:g}")
    if target:
        target.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    sys.exit(not facts["passed"])


@group.command()
def check() -> None:
    """Say whether submissions can be confined on this machine."""
    click.echo(confine.why_not() or "submissions run in a sandbox of bubblewrap")


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2."""
    try:
        group.main(prog_name="python -m teaching", standalone_mode=True)
    except InputError as fault:
        click.echo(f"Error: {fault}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
