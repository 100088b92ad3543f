"""The house stays small: modules, lines of code, layers and public names within their bars, and counted rightly."""

import graphlib
import importlib

import grimp
import pytest

from tools import house


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
