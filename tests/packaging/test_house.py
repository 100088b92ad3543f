"""The house stays small: modules, lines of code, layers and public names within their bars, and counted rightly."""

import graphlib
import importlib

import grimp
import pytest

from tools import house, maps

MOST_MODULES, MOST_CODE, MOST_LAYERS = 170, 16_000, 8


def test_the_package_has_outgrown_its_bars():
    for what, most in (("modules", MOST_MODULES), ("code", MOST_CODE)):
        assert sum(row[what] for row in house.house().values()) <= most
    assert len(house.layers()) <= MOST_LAYERS


def test_a_line_of_code_is_longer_than_the_bar_allows():
    for path in sorted((house.ROOT / "gapkit").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        lines = dict(enumerate(source.split("\n"), start=1))
        long = [n for n in house.lines_with_code(source) if len(lines[n]) > house.WIDTH]
        assert not long, f"{path}: {long}"


def test_a_package_stands_on_no_floor():
    floors = {name for layer in house.layers() for name in layer.replace("|", ":").split(" : ")}
    packages = {f"gapkit.{path.parent.name}" for path in (house.ROOT / "gapkit").glob("*/__init__.py")}
    assert packages <= floors


def test_the_maps_of_the_code_are_out_of_date():
    assert maps.main(["--check"]) == 0


def test_equations_are_not_found_where_a_docstring_opens():
    text = "The gap (Eq. 4), by Theorems 3.1 and 3.2.\n\nParameters\n----------\nx : as in Eq. 6\n"
    assert maps.numbers(text) == ["Eq. 4", "Theorem 3.1", "Theorem 3.2"]


def test_packages_import_each_other_in_a_circle():
    graph = grimp.build_graph("gapkit")
    needs = {}
    for module in graph.modules - {"gapkit"}:
        package = module.split(".")[1]
        found = (name.split(".")[1:2] for name in graph.find_modules_directly_imported_by(module))
        needs.setdefault(package, set()).update(name[0] for name in found if name and name[0] != package)
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("", 0),
        ("# only a remark\n\n", 0),
        ('"""A docstring\n\nof three lines."""\nx = 1\n', 1),
        ("x = [\n    1,  # a reason\n\n    2,\n]\n", 4),
        ('x = """a string\n\nthat is data"""\n', 3),
        ("def f(\n    x: int = 1,\n    *,\n    y: str | None = None,\n) -> None:\n    return\n", 2),
        ('def f():\n    """What it does."""\n    # why\n    return 1\n\n\nX = 3\n"""What X is."""\n', 3),
    ],
)
def test_comments_docstrings_and_blank_lines_count_as_code(source, lines):
    assert house.code_lines(source) == lines


@pytest.mark.parametrize(
    "name", ["gapkit", "gapkit.check", "gapkit.plots", "gapkit.widgets", "gapkit.closing"]
)
def test_names_read_from_a_face_are_not_those_it_offers(name):
    face = house.ROOT.joinpath(*name.split("."), "__init__.py")
    packages = {path.parent.name for path in face.parent.glob("*/__init__.py")}
    assert set(house.public_names(face)) - packages == set(importlib.import_module(name).__all__) - packages
