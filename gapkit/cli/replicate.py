"""``gapkit replicate``: every claim, measured and decided."""

import datetime
import functools
import os
import resource
import sys
import time
from pathlib import Path

import click

from gapkit.cli.embeddings import embedding_options, split_options
from gapkit.errors import InputError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--out", default="results", show_default=True, help="Folder for the results; replaced as a whole."
)
@click.option(
    "--full", is_flag=True, help="Every seed, finer grids, more draws (under 20 minutes on 2 cores)."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="A model instead of the shipped ones; repeatable.",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="A dataset, or a file of embeddings; repeatable.",
)
@embedding_options
@click.option(
    "--only", multiple=True, metavar="EXPERIMENT", help="One experiment instead of all; repeatable."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random."
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="html|md",
    help="Form of the report; repeatable [default: html].",
)
@click.option("--json", "as_json", is_flag=True, help="Print claims.json instead of the table.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@click.option("--strict", is_flag=True, help="Exit code 1 unless every claim holds.")
@click.option("--fresh", is_flag=True, help="Forget what an interrupted run has finished.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of threads, of torch and of BLAS; more only pay on much larger data than the shipped.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=None,
    help="How many measurements run at once.  [default: 2 where there are two cores and --threads is 1]",
)
@click.option(
    "--readme",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the table of results between FILE's markers too.",
)
def command(
    out,
    full,
    models,
    datasets,
    only,
    seed,
    formats,
    as_json,
    quiet,
    strict,
    fresh,
    threads,
    processes,
    readme,
    **embedding,
):
    """Measure every claim of the paper and write a report.

    With no options: the shipped models and datasets, in about two minutes. Models and datasets of your own are
    embedded first, as `gapkit embed` does it and with its options; each dataset takes those that it knows. An
    interrupted run goes on where it stopped. Exit code 0 if every claim received a verdict, whichever it is.
    """
    from gapkit._arrays import check_choice
    from gapkit.experiments.processes import limit_threads
    from gapkit.report import FORMATS, Workspace

    formats = formats or ("html",)
    for name in formats:
        check_choice(name, "--format", FORMATS)
    if readme and not os.access(readme, os.W_OK):
        raise InputError(f"cannot write to {readme}: no such file, or not allowed")
    if processes is None:
        processes = 2 if threads == 1 and _cores() > 1 else 1
    with limit_threads(threads), Workspace(out, fresh=fresh) as space:
        record = _replicate(space, full, models, datasets, only, seed, formats, quiet, processes, embedding)
    if readme:
        from gapkit.report import update_readme

        update_readme(readme, record)
    if as_json:
        from gapkit.report.record import to_json

        click.echo(to_json(record), nl=False)
    elif not quiet:
        _print_table(record)
        click.echo(f"\nReport: {_shown(space.results / f'report.{formats[0]}')}")
        click.echo(f"Record: {_shown(space.results / 'claims.json')}")
    holds = all(verdict == "holds" for verdict in record["overall"].values())
    return 1 if strict and not holds else 0


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _replicate(space, full, models, datasets, only, seed, formats, quiet, processes, embedding) -> dict:
    from gapkit.claims import decide
    from gapkit.experiments import experiment, plan, prepare, replicate
    from gapkit.experiments.subject import using
    from gapkit.report import make_record, write_report
    from gapkit.report.record import command_line

    started = time.perf_counter()
    for name in only:
        experiment(name)  # a mistyped name is an error before hours of embedding
    device, how, about = split_options(embedding)
    seen = not quiet and os.environ.get("GAPKIT_PROGRESS") != "0"
    say = functools.partial(click.echo, err=True) if seen else lambda line: None
    files = prepare(models, datasets, device=device, say=say, how={**how, "progress": seen}, **about)
    with using(files):
        jobs = plan(models, datasets, only=only, full=full, seed=seed)
    with using(files), _progress(len(jobs), quiet) as advance:
        replication = replicate(jobs, store=space.store, on_done=advance, processes=processes)
        findings = decide(replication.tables)
        chosen = bool(models or datasets)
        record = make_record(
            replication,
            findings,
            command=command_line(),
            mode="chosen" if chosen else "full" if full else "quick",
            seed=seed,
            times={
                "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "seconds": round(time.perf_counter() - started, 1),
                "processes": processes,
                "peak memory of the first process": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB",
            },
        )
        space.publish(lambda folder: write_report(folder, record, replication.tables, formats=formats))
    return record


class _progress:
    """A progress bar on stderr, off where nobody looks; as a context it gives the function to call."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._total = total
        self._off = quiet or os.environ.get("GAPKIT_PROGRESS") == "0"

    def __enter__(self):
        from tqdm import tqdm

        self._bar = tqdm(
            total=self._total,
            file=sys.stderr,
            disable=self._off or None,
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}",
        )
        self._bar.set_description("measuring")
        return self._advance

    def _advance(self, done: int, total: int, result) -> None:
        self._bar.update(1)
        self._bar.set_postfix_str(str(result.job) if done < total else "writing the report")

    def __exit__(self, *_) -> None:
        self._bar.close()


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


_STYLES = {"holds": "green", "partly": "yellow", "does not hold": "red", "not decidable": "dim"}


def _print_table(record: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    from gapkit.report.view import GLYPHS, build_summary, short_model

    models, rows = build_summary(record)
    table = Table(title="Claims and verdicts", title_justify="left", header_style="bold")
    table.add_column("claim", ratio=1, min_width=24, overflow="fold")
    for model in models:
        table.add_column(short_model(model), justify="center", overflow="fold", max_width=14)
    table.add_column("overall", no_wrap=True)
    for row in rows:
        cells = [
            f"[{_STYLES[cell['verdict']]}]{GLYPHS[cell['verdict']]}[/]" if cell["verdict"] else "·"
            for cell in row["cells"]
        ]
        overall = row["overall"]
        table.add_row(
            row["statement"].replace("[", "\\["),
            *cells,
            f"[{_STYLES[overall]}]{GLYPHS[overall]} {overall}[/]",
        )
    console = Console()
    console.print(table)
    console.print("  ".join(f"{glyph} {verdict}" for verdict, glyph in GLYPHS.items()) + "  · not asked")
