"""Command line of the assignments: ``python -m teaching assignments``, ``… grade FOLDER`` and what goes with them."""

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import click

from gapkit import InputError
from teaching import confine
from teaching.course import COURSE, SOURCES, Variant, build
from teaching.faults import costly
from teaching.grade import Given, grade_folder
from teaching.release import links, release
from teaching.roster import read_roster
from teaching.student import Limits
from teaching.tables import read_exceptions, read_rubric

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
@click.option(
    "--late-percent", type=click.FloatRange(0, 100), default=0.0, help="Points lost for a day late."
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
@unconfined_option
def grade(
    submitted, course, out, assignment, roster, export, rubric, exceptions, late_percent, jobs, seed,
    cell_seconds, total_seconds, memory_mib, unconfined,
) -> None:  # fmt: skip
    """Grade what lies below SUBMITTED; write points.csv, tasks.csv, report.md, feedback pages and a gradebook."""
    if export and not roster:
        raise InputError("--export needs --roster: whose points are whose is in it")
    given = Given(
        roster=read_roster(roster) if roster else None,
        assignment=assignment,
        rubric=partial(read_rubric, rubric) if rubric else None,
        exceptions=partial(read_exceptions, exceptions) if exceptions else None,
        late_percent=late_percent,
        export=export or "",
    )
    limits = Limits(cell=cell_seconds, total=total_seconds, memory=memory_mib << 20)
    graded = grade_folder(
        submitted, course=course, out=out, limits=limits, jobs=jobs, seed=seed, given=given,
        confined=not unconfined, progress=click.echo,
    )  # fmt: skip
    spoilt = sum(bool(costly(one.faults, one.forgiven)) for one in graded)
    click.echo(f"{len(graded)} graded, {spoilt} without points for a fault; see {out / 'report.md'}")


@group.command()
@click.argument("notebook", type=A_PATH)
@course_option
@click.option("--minimum", type=float, default=0.0, show_default=True, help="Exit code 1 below these points.")
@click.option("--json", "target", type=A_PATH, help="Write the result here.")
@unconfined_option
def autograde(notebook: Path, course: Path, minimum: float, target: Path | None, unconfined: bool) -> None:
    """Grade one NOTEBOOK, for a workflow: a line for each task, exit code 1 below --minimum."""
    if not notebook.is_file():
        raise InputError(f"no file {notebook}")
    with tempfile.TemporaryDirectory() as place:
        handed_in = Path(place, "in", "student")
        handed_in.mkdir(parents=True)
        (handed_in / notebook.name).write_bytes(notebook.read_bytes())
        (one,) = grade_folder(
            handed_in.parent, course=course, out=Path(place, "out"), confined=not unconfined
        )
    result = one.result
    facts = {
        "assignment": one.assignment, "points": result.points, "max_points": result.most,
        "faults": [str(fault) for fault in one.faults], "passed": result.points >= minimum,
        "tasks": [{name: task[name] for name in ("task", "points", "most", "message")} for task in result.tasks],
    }  # fmt: skip
    for task in result.tasks:
        click.echo(f"{task['task']}: {task['points']:g} of {task['most']:g} {task['message']}".rstrip())
    click.echo(f"{one.assignment or notebook.name}: {result.points:g} of {result.most:g}")
    if target:
        target.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if facts["passed"] else 1)


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
