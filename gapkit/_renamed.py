"""Names that have changed: an old one works on, with a warning that says the new one.

A line of ``renamed.toml`` holds the old dotted name, of anything public or of a whole module, and the new one. Two things
ask for it: a package's face, with ``__getattr__ = renamed(__name__)``, and the import of a module that is no longer there.
What has gone for good has a sentence, with a space in it, in place of a new name; asking for it raises with that sentence.
"""

import importlib
import importlib.util
import sys
import tomllib
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_REGISTER = tomllib.loads(Path(__file__).with_name("renamed.toml").read_text(encoding="utf-8"))
RENAMED: dict[str, str] = _REGISTER["renamed"] | {
    f"{module.rpartition('.')[0]}.{name}": f"{module}.{name}"
    for module, names in _REGISTER["left_the_face"].items()
    for name in names.split()
}
"""Old dotted name to new dotted name."""


def renamed(module: str, otherwise: Callable[[str], object] | None = None) -> Callable[[str], object]:
    """The ``__getattr__`` of a module some of whose names have changed.

    Parameters
    ----------
    module : its ``__name__``
    otherwise : a ``__getattr__`` that it has already, such as lazy_loader's; asked where no name has changed

    Examples
    --------
    >>> renamed("gapkit.closing")("GapClozer")
    Traceback (most recent call last):
    ...
    AttributeError: module 'gapkit.closing' has no attribute 'GapClozer'
    """

    def __getattr__(name: str) -> object:
        old = f"{module}.{name}"
        if old in RENAMED:
            return _look_up(old, RENAMED[old], stacklevel=3)
        if module in RENAMED and not name.startswith("__"):  # the whole module has moved
            return getattr(importlib.import_module(RENAMED[module]), name)
        if otherwise is not None:
            return otherwise(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__


def _look_up(old: str, new: str, *, stacklevel: int) -> object:
    if " " in new:
        raise AttributeError(f"{old} is gone: {new}")
    warnings.warn(f"{old} is now called {new}", DeprecationWarning, stacklevel=stacklevel)
    try:
        return importlib.import_module(new)
    except ModuleNotFoundError as missing:
        if not f"{new}.".startswith(f"{missing.name}."):  # it is there, and imports something that is not
            raise
    module, _, name = new.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


class OldModules:
    """Imports of modules that have been renamed, or taken apart: they ask finders, never a package's ``__getattr__``.

    The last finder of all, so it is asked only for what does not exist.
    """

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        """How to load the old module ``name``; None if there never was one."""
        if not any(old == name or old.startswith(f"{name}.") for old in RENAMED):
            return None
        if " " in RENAMED.get(name, ""):
            raise ModuleNotFoundError(f"{name} is gone: {RENAMED[name]}", name=name)
        if name in RENAMED and not _is_module(RENAMED[name]):
            return None  # a function or a constant: its package's face knows it
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the old module with nothing but the way to the new names."""
        module.__getattr__ = renamed(module.__name__)  # type: ignore[method-assign]
        if module.__name__ in RENAMED:
            _look_up(module.__name__, RENAMED[module.__name__], stacklevel=3)


if not any(isinstance(finder, OldModules) for finder in sys.meta_path):
    sys.meta_path.append(OldModules())
