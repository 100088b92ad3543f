"""A course built once for all tests, with its perfect submissions."""

import nbformat
import pytest

from teaching import course
from tests.teaching.local import NAMES


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
