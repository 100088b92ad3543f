"""Code written for an earlier version still runs, or is told the new name."""

import importlib
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

from gapkit import _renamed
from gapkit._renamed import RENAMED, renamed

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


@pytest.fixture
def names(monkeypatch):
    """Old names of the test's own."""
    monkeypatch.setattr(
        _renamed,
        "RENAMED",
        {
            "gapkit.geometry.the_gap": "gapkit.geometry.gap_vector",
            "gapkit.geometry.old_rooms.measure_all": "gapkit.geometry.measure",
            "gapkit.oldroom": "gapkit.geometry.gap",
            "gapkit.geometry.nonsense": "take numpy.linalg.norm",
            "gapkit.nowhere": "take numpy itself",
        },
    )
    yield
    for name in ("gapkit.geometry.old_rooms", "gapkit.oldroom"):
        sys.modules.pop(name, None)


def imported(dotted: str):
    """What the dotted name stands for, as a user finds it: a module's attribute, or a module that is imported."""
    module, _, name = dotted.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError as missing:
        if "is gone" in str(missing):
            raise
        return importlib.import_module(dotted)


@pytest.mark.usefixtures("names")
def test_an_old_name_of_a_face_is_lost_or_silent():
    with pytest.warns(DeprecationWarning, match="the_gap is now called gapkit.geometry.gap_vector"):
        found = renamed("gapkit.geometry")("the_gap")
    assert found is importlib.import_module("gapkit.geometry").gap_vector


def test_the_warning_names_a_line_of_gapkit_so_that_its_user_never_sees_it():
    code = """if True:
        from gapkit import _renamed
        import gapkit
        _renamed.RENAMED |= {"gapkit.old_gap": "gapkit.errors.InputError", "gapkit.oldroom": "gapkit.errors"}
        gapkit.old_gap
        import gapkit.oldroom
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split(": ", 1)[0] for line in done.stderr.splitlines() if "now called" in line] == [
        "<string>:5",
        "<string>:6",
    ]


@pytest.mark.usefixtures("names")
def test_an_old_module_cannot_be_imported():
    with pytest.warns(DeprecationWarning, match="oldroom is now called gapkit.geometry.gap"):
        module = importlib.import_module("gapkit.oldroom")
    assert module.l2m is importlib.import_module("gapkit.geometry").l2m
    with pytest.raises(AttributeError, match="nothing_at_all"):
        module.nothing_at_all  # noqa: B018


@pytest.mark.usefixtures("names")
def test_a_name_of_a_module_that_was_taken_apart_is_lost():
    module = importlib.import_module("gapkit.geometry.old_rooms")
    with pytest.warns(DeprecationWarning, match="now called gapkit.geometry.measure"):
        assert module.measure_all is importlib.import_module("gapkit.geometry").measure


@pytest.mark.usefixtures("names")
def test_what_is_gone_says_nothing_of_what_to_take():
    with pytest.raises(AttributeError, match=r"nonsense is gone: take numpy.linalg.norm"):
        renamed("gapkit.geometry")("nonsense")
    with pytest.raises(ModuleNotFoundError, match=r"gapkit.nowhere is gone: take numpy itself"):
        importlib.import_module("gapkit.nowhere")


def test_a_module_that_never_was_is_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("gapkit.geometry.never_was")


def test_another_getattr_is_forgotten():
    assert renamed("gapkit.geometry", lambda name: name.upper())("anything") == "ANYTHING"


def test_the_table_of_old_names_warns_or_loads_something_heavy_by_itself():
    code = "import gapkit._renamed, sys; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_an_old_name_leads_nowhere(old):
    new = RENAMED[old]
    assert f"| `{old}` | {f'`{new}`' if ' ' not in new else new} |" in CHANGELOG.read_text("utf-8")
    sys.modules.pop(old, None)
    if " " in new:
        with pytest.raises((AttributeError, ModuleNotFoundError), match="is gone"):
            imported(old)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wanted = imported(new)
    with pytest.warns(DeprecationWarning, match="is now called"):
        found = importlib.import_module(old) if isinstance(wanted, types.ModuleType) else imported(old)
    if isinstance(wanted, types.ModuleType):
        public = [name for name in vars(wanted) if not name.startswith("_")]
        assert all(getattr(found, name) is getattr(wanted, name) for name in public)
    else:
        assert found is wanted
