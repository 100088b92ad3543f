"""``gapkit replicate``: every claim, measured and decided; ``gapkit compare``: two such records side by side."""

import contextlib
import datetime
import json
import shutil
import sys
import time
from pathlib import Path

import click

from gapkit.cli.embeddings import embedding_options, split_options
from gapkit.cli.main import A_COUNT, A_NUMBER, cluster_option, print_table, say
from gapkit.errors import InputError, as_one_line


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", default="results", show_default=True, help="Folder for results; replaced as a whole.")
@click.option("--full", is_flag=True, help="Every seed, finer grids, more draws (20 minutes on 2 cores).")
@click.option("--model", "models", multiple=True, metavar="NAME",
              help="A model instead of the shipped ones; repeatable.")  # fmt: skip
@click.option("--dataset", "datasets", multiple=True, metavar="NAME",
              help="A dataset, or a file of embeddings; repeatable.")  # fmt: skip
@click.option("--published", is_flag=True, help="Use every published set in the cache (see gapkit fetch).")
@click.option("--galleries", metavar="K,K…",
              help="Sizes of galleries that sets of pairs are cut into.  [default: 10,30,100]")  # fmt: skip
@embedding_options
@click.option("--only", multiple=True, metavar="EXPERIMENT",
              help="One experiment instead of all; repeatable.")  # fmt: skip
@click.option("--seed", type=A_NUMBER, default=0, show_default=True, help="Seed of everything random.")
@click.option("--format", "formats", multiple=True, type=click.Choice(["html", "md"]),
              help="Form of the report; repeatable [default: html].")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print claims.json instead of the summary.")
@click.option("--all", "every", is_flag=True, help="Print every claim for every model, not just the leading.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@click.option("--strict", is_flag=True, help="Exit code 1 unless every claim holds.")
@click.option("--fresh", is_flag=True, help="Start afresh instead of resuming an interrupted run.")
@click.option("--threads", type=A_COUNT, default=1, show_default=True,
              help="Of torch and of BLAS; more pay off only on much larger data.")  # fmt: skip
@click.option("--processes", type=A_COUNT,
              help="How many measurements run at once.  [default: 2 on two cores with 1 thread]")  # fmt: skip
@cluster_option
def replicate(out, formats, as_json, every, quiet, strict, fresh, threads, processes, cluster, **asked):
    """Measure every claim of the paper and write a report.

    With no options: the shipped models and datasets, in about two minutes. Your own models and datasets are embedded first, with the options of `gapkit embed`. Sets of pairs that you
    name are also cut into small galleries, as in the paper's experiments. An interrupted run resumes. The exit code is
    0 if every claim received a verdict, whatever the verdict.
    """
    from gapkit import engine
    from gapkit._paths import progress_wanted
    from gapkit.claims import decide
    from gapkit.experiments import replicate
    from gapkit.report import make_record, write_report
    from gapkit.report.record import command_line, to_json
    from gapkit.report.write import Workspace

    formats = tuple(dict.fromkeys(formats)) or ("html",)
    if processes is None:
        processes = 2 if threads == 1 and engine.usable_cores() > 1 else 1
    seen = not quiet and progress_wanted()
    tell = say if seen else lambda line: None
    chosen, embedding = _chosen(**asked)
    started = time.perf_counter()
    with (
        engine.limit_threads(threads),
        Workspace(out, fresh=fresh) as space,
        engine.connect(cluster, tell) as client,
    ):
        jobs = _jobs(chosen, embedding, say=tell, how={"progress": seen, "cluster": client})
        with _progress(len(jobs), seen) as advance:
            how = {"processes": processes, "cluster": client}
            measured = replicate(jobs, store=space.store, on_done=advance, **how)
            mode = "full" if chosen["full"] else "quick"
            facts = {
                "command": command_line(click.get_current_context().obj),
                "mode": "chosen" if chosen["models"] or chosen["datasets"] else mode,
                "seed": chosen["seed"],
                "times": _times(started) | {"processes": processes},
            }
            record = make_record(measured, decide(measured.tables), **facts)
            space.publish(lambda folder: write_report(folder, record, measured.tables, formats=formats))
    if as_json:
        click.echo(to_json(record), nl=False)
    elif not quiet:
        if every:
            _print_table(record)
        _print_summary(record)
        click.echo(f"Report: {_shown(space.results / f'report.{formats[0]}')}")
        click.echo(f"Record: {_shown(space.results / 'claims.json')}")
    holds = all(verdict == "holds" for verdict in record["overall"].values())
    return 1 if strict and not holds else 0


def _chosen(models, datasets, published, galleries, only, full, seed, **embedding) -> tuple[dict, dict]:
    """The options of `gapkit.experiments.plan`, and those of embedding; what is mistyped is an error before hours of it."""
    from gapkit.experiments.record import experiment

    models, datasets, only = (tuple(dict.fromkeys(names)) for names in (models, datasets, only))
    for name in only:
        experiment(name)
    datasets = _with_published(datasets, models) if published else datasets
    chosen = {"models": models, "datasets": datasets, "only": only, "full": full, "seed": seed}
    if galleries is not None:
        chosen["galleries"] = _sizes(galleries, datasets)
    return chosen, embedding


def _jobs(chosen: dict, embedding: dict, *, say, how: dict) -> list:
    """What is measured, once everything is embedded."""
    from gapkit.experiments import plan
    from gapkit.experiments.plan import prepare

    device, more, about = split_options(embedding)
    files = prepare(chosen["models"], chosen["datasets"], device=device, say=say, how=more | how, **about)
    return plan(**chosen, files=files)


def _with_published(datasets, models) -> tuple[str, ...]:
    """The published sets in the cache beside what was asked for."""
    from gapkit.embeddings import published_sets

    if models:
        raise InputError("published sets bring their models; leave out --model, or --published")
    cached = [name for name, entry in published_sets().items() if entry.cached]
    if not cached:
        raise InputError("no published set is in the cache; download them with: gapkit fetch --all")
    return tuple(dict.fromkeys([*datasets, *cached]))


def _sizes(text: str, datasets) -> tuple[int, ...]:
    try:
        sizes = tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 2:
        raise InputError(f"--galleries must be numbers of candidates such as 10,30,100; got {text!r}")
    if not datasets:
        raise InputError("--galleries cuts sets of pairs named with --dataset; name one, or --published")
    return sizes


def _times(started: float) -> dict:
    return {
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
        **_peak_memory(),
    }


def _peak_memory() -> dict[str, str]:
    """The most memory that this process has used, where the system says so: Windows has no such module."""
    try:
        import resource
    except ImportError:
        return {}
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kibibytes
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {"peak memory of the first process": f"{mebibytes:.0f} MiB"}


@contextlib.contextmanager
def _progress(total: int, seen: bool):
    """A progress bar on stderr, off where nobody looks; gives the function to call after each job."""
    from tqdm import tqdm

    form = "{l_bar}{bar}| {n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}"
    off = None if seen else True
    with tqdm(total=total, file=sys.stderr, disable=off, dynamic_ncols=True, bar_format=form) as bar:
        bar.set_description("measuring")

        def advance(done: int, total: int, result) -> None:
            bar.update(1)
            bar.set_postfix_str(as_one_line(result.job) if done < total else "writing the report")

        yield advance


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


_STYLES = {"holds": "green", "partly": "yellow", "does not hold": "red", "harms": "bold red"}
_STYLES["not decidable"] = "dim"

MOST = 13
"""Claims in the summary where none of the leading ones was decided."""


def _print_summary(record: dict) -> None:
    """The leading claims, one line each, then how many of the others hold: at 80 columns, less than a screen."""
    from gapkit.claims import CLAIMS
    from gapkit.report.view import GLYPHS, answer, build_summary, counts_of

    _, rows = build_summary(record)
    verdicts = record["overall"]
    leading = [claim for claim in CLAIMS if claim.headline and claim.id in verdicts]
    for claim in leading or [claim for claim in CLAIMS if claim.id in verdicts][:MOST]:
        verdict = verdicts[claim.id]
        words = claim.headline or claim.statement.rstrip(".")
        shown = words if len(words) <= 62 else f"{words[:61].rstrip()}…"
        click.echo(f"{click.style(f'{GLYPHS[verdict]} {verdict:<14}', **_color(verdict))} {shown}")
    sizes = sorted({job["options"]["galleries"] for job in record["jobs"] if "galleries" in job["options"]})
    if sizes:
        click.echo(f"Pairs: in galleries of {', '.join(map(str, sizes))} candidates, and all as one gallery.")
    for part, name in enumerate(("The paper", "This project", "Controls")):
        counts = counts_of([row["overall"] for row in rows if row["part"] == part])
        if counts:
            click.echo(f"{name}: {', '.join(f'{count} {verdict}' for verdict, count in counts)}")
    if said := answer(record):
        click.echo(click.wrap_text(" ".join(said), width=min(100, shutil.get_terminal_size().columns)))


def _color(verdict: str) -> dict:
    style = _STYLES[verdict].split()
    return {"dim": True} if style == ["dim"] else {"fg": style[-1], "bold": style[0] == "bold"}


def _print_table(record: dict) -> None:
    from rich.markup import escape

    from gapkit.report.view import GLYPHS, build_summary, model_words, short_model

    models, rows = build_summary(record)
    narrow = {"justify": "center", "overflow": "fold", "max_width": 14}
    columns: list[tuple[str, dict]] = [
        ("claim", {"ratio": 1, "min_width": 24, "overflow": "fold"}),
        *((escape(as_one_line(short_model(model))), narrow) for model in models),
        ("overall", {"no_wrap": True}),
    ]

    def shown(verdict: str | None, words: str = "") -> str:
        return f"[{_STYLES[verdict]}]{GLYPHS[verdict]}{words}[/]" if verdict else "·"

    lines = []
    for row in sorted(rows, key=lambda row: row["part"]):
        overall = shown(row["overall"], f" {row['overall']}")
        lines.append((escape(row["statement"]), *(shown(cell["verdict"]) for cell in row["cells"]), overall))
    look = {"title": "Claims and verdicts", "title_justify": "left", "header_style": "bold"}
    print_table(columns, lines, **look)
    click.echo("  ".join(f"{glyph} {verdict}" for verdict, glyph in GLYPHS.items()) + "  · not asked")
    for name, words in model_words(record).items():
        click.echo(click.wrap_text(f"{name}: {words}", width=min(100, shutil.get_terminal_size().columns)))
    click.echo()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def compare(first, second, as_json):
    """Show where two replications differ beyond their intervals.

    FIRST and SECOND are claims.json files, or the folders they lie in. Values that nothing random enters may differ by 1e-6. Exit code 1 if they differ: in a verdict, in a
    value beyond its interval, or in a claim or cell that only one of them has.
    """
    from gapkit.report import read_record
    from gapkit.report.record import compare_records

    differences, compared = compare_records(read_record(first), read_record(second))
    if as_json:
        content = {"compared": compared, "differences": [difference._asdict() for difference in differences]}
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
    elif not differences:
        click.echo(f"No difference beyond the intervals in {compared} measured values.")
    else:
        _print_differences(differences, compared)
    return 1 if differences else 0


def _print_differences(differences, compared: int) -> None:
    from rich.text import Text

    names = ("claim", "model", "where", "first", "second", "what")
    columns = [(name, {"overflow": "fold"}) for name in names]
    rows = ((Text(as_one_line(text)) for text in difference) for difference in differences)
    title = (
        f"{len(differences)} difference{'s' * (len(differences) != 1)}; {compared} measured values compared"
    )
    print_table(columns, rows, title=title, title_justify="left")
