"""A course built once for all tests, with its perfect submissions."""

import nbformat
import pytest

from teaching import course, grade, one
from tests.teaching import tiny
from tests.teaching.local import NAMES, LocalStudent


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The course as ``make assignments`` builds it."""
    place = tmp_path_factory.mktemp("course") / "built"
    course.build(sources=course.SOURCES.resolve(), course=place)
    return place


@pytest.fixture(scope="session")
def perfect(built):
    """The notebooks with solutions, as students would hand them in."""
    return {name: course.solution(built, name) for name in NAMES}


@pytest.fixture(scope="session")
def stubs(built):
    """The notebooks as students get them."""
    return {name: nbformat.read(built / "release" / name / f"{name}.ipynb", as_version=4) for name in NAMES}


@pytest.fixture(scope="session")
def sources(built):
    """The notebooks with solutions and hidden tests."""
    return {name: nbformat.read(built / "source" / name / f"{name}.ipynb", as_version=4) for name in NAMES}


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    place = tmp_path_factory.mktemp("small")
    (place / "source").mkdir()
    (place / "source" / "A1.py").write_text(tiny.SOURCE, encoding="utf-8")
    course.build(sources=place / "source", course=place / "built")
    return place / "built"


@pytest.fixture(scope="session")
def handed(small):
    return tiny.hands(course.solution(small, "A1"))


class _Local(LocalStudent):
    """A submission in the test's own process, with what the kernel does about faults in cells."""

    def __init__(self, **_):
        super().__init__({})

    def run_cell(self, source):
        try:
            return super().run_cell(source)
        except (Exception, SystemExit) as fault:
            if isinstance(fault, SyntaxError) and self.cell.startswith("a1"):
                self.faults.append(one.Fault("syntax", self.cell, type(fault).__name__))
            return []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def here(monkeypatch):
    """Grade in this process: what is tried here is form, and the sandbox has tests of its own."""

    def run(orders, *, done, **_):
        for number, order in enumerate(orders):
            done(number, one.grade_one(order))

    monkeypatch.setattr(one, "StudentKernel", _Local)
    monkeypatch.setattr(grade, "_run_all", run)
    monkeypatch.setattr(grade.confine, "why_not", lambda: "")
    monkeypatch.setenv("GAPKIT_CHECK_SEED", "1")
