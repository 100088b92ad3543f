"""The command group: loads commands lazily and turns bad input into one clear line."""

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

import gapkit
from gapkit.errors import GapkitWarning, InputError, as_one_line, did_you_mean, is_out_of_memory, short_reason

COMMANDS = {
    "replicate": ("gapkit.cli.replicate:replicate", "Measure every claim of the paper and write a report."),
    "compare": ("gapkit.cli.replicate:compare", "Show where two replications differ beyond their intervals."),
    "measure": ("gapkit.cli.measure:measure", "Measure the modality gap of a file of embeddings."),
    "close": ("gapkit.cli.measure:close", "Close the gap of a file of embeddings."),
    "advise": ("gapkit.cli.measure:advise", "Say which metric, side and closer keep the most answers."),
    "embed": ("gapkit.cli.embeddings:embed", "Embed a dataset with a model; resumes after an interruption."),
    "import": ("gapkit.cli.embeddings:import_files", "Convert .npy, .npz, parquet or CSV embeddings."),
    "fetch": ("gapkit.cli.embeddings:fetch", "Download real CLIP embeddings into the cache."),
    "models": ("gapkit.cli.info:models", "List models, their sizes, and what is in the cache."),
    "info": ("gapkit.cli.info:info", "Show versions, folders and what is available."),
    "train-miniclip": ("gapkit.cli.info:train_miniclip", "Train a mini-CLIP from scratch."),
}
"""Command name -> (``module:function`` of the click command, one line of help)."""

MOVED = {"data": "work in a clone of the repository, and call python tools/data.py"}
"""Former commands -> what replaces them."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports one when it is called."""

    def list_commands(self, context):
        return list(COMMANDS)

    def get_command(self, context, name):
        known = self.list_commands(context)
        if name in MOVED:
            raise InputError(f"{name} is no longer a gapkit command: {MOVED[name]}")
        if name not in known:
            raise InputError(f"no command {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}")
        module, _, function = COMMANDS[name][0].partition(":")
        return getattr(importlib.import_module(module), function)

    def format_commands(self, context, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(context)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(gapkit.__version__, prog_name="gapkit")
def group() -> None:
    """Measure CLIP's modality gap, close it, and see what it costs in robustness."""


ADDRESS = "tcp://HOST:PORT of a Dask scheduler, or local:N for N workers here."
cluster_option = click.option("--cluster", metavar="ADDRESS", help=f"Work on a cluster: {ADDRESS}")
"""What every command with `gapkit.engine.connect` takes."""


A_PATH, A_COUNT, A_NUMBER = click.Path(path_type=Path), click.IntRange(min=1), click.IntRange(min=0)


def print_table(columns: Iterable[tuple[str, dict]], rows: Iterable[Iterable], **look) -> None:
    """A table on stdout, from columns with the options of `rich.table.Table.add_column`."""
    from rich.console import Console
    from rich.table import Table

    table = Table(**look)
    for name, how in columns:
        table.add_column(name, **how)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def say(message: object) -> None:
    """One line on stderr, whatever the message quotes."""
    click.echo(as_one_line(message), err=True)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    if issubclass(category, GapkitWarning):
        say(f"note: {message}")


def _nobody_reads_on() -> NoReturn:
    """End well, as ``gapkit … | head`` should: what is still in a buffer goes nowhere, and no fault comes of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    sys.exit(0)


def _give_up(reason: object) -> NoReturn:
    say(f"gapkit: {reason}")
    sys.exit(2)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; an `InputError` becomes one line on stderr and exit code 2."""
    warnings.showwarning = _show_warning
    try:
        colour = False if os.environ.get("NO_COLOR") else None  # rich looks at it itself
        code = group.main(arguments, "gapkit", standalone_mode=False, obj=arguments, color=colour)
    except click.ClickException as fault:
        _give_up(" ".join(fault.format_message().split()))
    except InputError as fault:
        _give_up(fault)
    except (BrokenPipeError, SystemExit):  # no command exits by itself; click and rich do, on a broken pipe
        _nobody_reads_on()
    except (KeyboardInterrupt, click.Abort):
        say(gapkit._INTERRUPTED)
        sys.exit(130)
    except Exception as fault:
        if is_out_of_memory(fault):
            _give_up(f"the memory does not suffice ({short_reason(fault)}); free some, or bring less data")
        if not isinstance(fault, OSError):
            raise
        # a disk that fills up or vanishes where nothing more exact is known
        _give_up(f"{fault.strerror or fault}" + (f" ({fault.filename})" if fault.filename else ""))
    sys.exit(code if isinstance(code, int) else 0)
