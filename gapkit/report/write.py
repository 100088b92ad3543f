"""The files of a replication: ``claims.json``, the report, its figures, the tables as CSV; and their folder.

While it runs, finished jobs lie in ``<results>.part/jobs``. When all are done the report is written to
``<results>.part/report`` and takes the place of ``<results>`` in one step, so that whoever looks sees the
old results or the new ones. A run that was killed leaves ``<results>.part`` behind, and the next one goes
on from it.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jinja2
import pandas as pd
from filelock import FileLock, Timeout

from gapkit._files import make_folder
from gapkit._options import check_choice
from gapkit._paths import cache_folder
from gapkit.errors import InputError, refusing
from gapkit.experiments.sweep import JobStore
from gapkit.plots.style import figure_of, png
from gapkit.report.record import to_json
from gapkit.report.sections import Picture, inline_svg, sections
from gapkit.report.view import build_view, short_model

FORMATS = ("html", "md")
OURS = ("claims.json", "report.html", "report.md", "figures", "tables")
"""What a folder of results holds."""
_WAIT = 3.0  # seconds for the lock: the processes of a killed run hold it until they notice


def write_report(
    folder: str | Path,
    record: Mapping,
    tables: Mapping[str, pd.DataFrame],
    *,
    formats: Sequence[str] = ("html",),
) -> None:
    """Fill an empty folder with everything a replication leaves behind.

    Parameters
    ----------
    folder : where; it must exist
    record : as `gapkit.report.record.make_record` gives it
    tables : the tidy tables
    formats : of "html" and "md"
    """
    folder = Path(folder)
    for name in formats:
        check_choice(name, "format", FORMATS)
    (folder / "claims.json").write_text(to_json(record), encoding="utf-8")
    (folder / "tables").mkdir()
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    view = build_view(record)
    drawn, taken = {}, set()
    for shown in view["sections"]:
        section = sections()[shown["name"]]
        shown["table"] = section.printed(tables)
        drawn[section.experiment] = _named_apart(section.pictures(tables), taken)
    (folder / "figures").mkdir()
    for picture in itertools.chain(*drawn.values()):
        (folder / "figures" / f"{picture.name}.png").write_bytes(png(picture.axes))
        figure_of(picture.axes).set_layout_engine("none")  # as laid out now, for the page's copy too
    for name in formats:
        for section in view["sections"]:
            section["pictures"] = [_shown(picture, name) for picture in drawn[section["name"]]]
        text = _template(name).render(**view)
        (folder / f"report.{name}").write_text(text, encoding="utf-8")


def _named_apart(pictures: list[Picture], taken: set[str]) -> list[Picture]:
    """The pictures, with a number after a name that is taken: two files of one name in two folders, or "a b" and "a-B"."""
    named = []
    for picture in pictures:
        names = (picture.name + f"-{n}" * (n > 1) for n in itertools.count(1))
        taken.add((name := next(name for name in names if name.lower() not in taken)).lower())
        named.append(dataclasses.replace(picture, name=name))
    return named


def _shown(picture: Picture, form: str) -> dict:
    svg = inline_svg(picture.axes, name=picture.name, alt=picture.alt) if form == "html" else ""
    return {"name": picture.name, "caption": picture.caption, "alt": picture.alt, "svg": svg}


class _Ready(str):
    """What is put into the page as it is: code between fences, and what a macro has made."""


def _template(form: str) -> jinja2.Template:
    """The template of a form of the report; what is filled in is text, whatever names of models and data hold."""
    how = {"autoescape": form == "html", "finalize": _as_markdown if form == "md" else None}
    how |= {"undefined": jinja2.StrictUndefined, "keep_trailing_newline": True}
    environment = jinja2.Environment(loader=jinja2.PackageLoader("gapkit.report"), **how)
    environment.filters["slug"] = lambda verdict: verdict.replace(" ", "-")
    environment.filters["short"] = short_model
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    environment.filters["ready"] = _Ready
    environment.filters["code"] = lambda text: _Ready(_on_one_line(text))
    return environment.get_template(f"report.{form}.j2")


def _as_markdown(value: object) -> object:
    """No tag and no link comes of a name; a bracket alone, as around an interval, does no harm."""
    if isinstance(value, _Ready):
        return value
    text = _on_one_line(value)
    for sign, plain in {"<": "&lt;", "](": "]\\(", "]:": "]\\:"}.items():
        text = text.replace(sign, plain)
    return text


def _on_one_line(value: object) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in str(value))


class Workspace:
    """Use as a context: ``with Workspace("results") as space: …``.

    Parameters
    ----------
    results : the folder that the report will be in
    fresh : forget the finished jobs of an interrupted run

    Raises
    ------
    InputError
        If the place cannot be written to, holds something else, or another run is writing to it.
    """

    def __init__(self, results: str | Path, *, fresh: bool = False) -> None:
        self.results = Path(results).resolve()
        if not self.results.name:
            raise InputError(f"the results need a folder of their own; {self.results} is the root of all")
        self.part = self.results.with_name(self.results.name + ".part")
        self._old = self.part / "old"
        self._fresh = fresh
        self._lock = FileLock(path := _lock_path(self.results), timeout=_WAIT)
        make_folder(path.parent)

    def __enter__(self) -> "Workspace":
        _check_replaceable(self.results)
        try:
            self.results.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            if self._fresh and self.part.exists():
                self._recover()
                shutil.rmtree(self.part)
            self.part.mkdir(exist_ok=True)
            self._recover()
            (self.part / "jobs").mkdir(exist_ok=True)
            probe = self.part / "jobs" / ".writable"
            probe.touch()
            probe.unlink()
        except Timeout as fault:
            raise InputError(f"another gapkit is writing to {self.results}; name another folder") from fault
        except OSError as fault:
            self._lock.release()
            raise InputError(f"cannot write to {self.results}: {fault.strerror or fault}") from fault
        return self

    def __exit__(self, *_) -> None:
        """Leave no folder behind if nothing was finished: a fault at the start then leaves no trace."""
        try:
            for folder in (self.part / "jobs", self.part):
                with contextlib.suppress(OSError):  # not there, or not empty
                    folder.rmdir()
        finally:
            self._lock.release()

    @property
    def store(self) -> JobStore:
        """Where finished jobs are kept until the report is there."""
        return JobStore(self.part / "jobs")

    def publish(self, write: Callable[[Path], object]) -> Path:
        """Let ``write`` fill a new folder and put it in the place of the results.

        Returns
        -------
        The folder of results.
        """
        new = self.part / "report"
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            write(new)
            if self.results.exists():
                shutil.rmtree(self._old, ignore_errors=True)
                os.rename(self.results, self._old)
            os.rename(new, self.results)
            shutil.rmtree(self.part)
        except OSError as fault:
            self._recover()
            raise InputError(f"cannot write to {self.results}: {fault.strerror or fault}") from fault
        return self.results

    def _recover(self) -> None:
        """Undo a swap that was cut off between its two renames."""
        if self._old.exists() and not self.results.exists():
            os.rename(self._old, self.results)


def _lock_path(results: Path) -> Path:
    """A lock outside the folders that come and go: deleting a lock that someone waits for breaks it."""
    name = hashlib.sha256(os.fsencode(results)).hexdigest()[:16]
    return cache_folder() / "runs" / f"results-{name}.lock"


def _check_replaceable(folder: Path) -> None:
    """Only an empty folder, or one that gapkit has written, may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; the results need a folder")
    with refusing(OSError, before=f"cannot read {folder}: "):
        names = [path.name for path in folder.iterdir()]
    others = sorted(name for name in names if name not in OURS and not name.startswith("."))
    if others:
        raise InputError(f"{folder} holds other files, such as {others[0]}; name another folder with --out")
