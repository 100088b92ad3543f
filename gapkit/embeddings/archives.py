"""Archives of arrays, ``.npz`` and safetensors: which member is what. Each is read only when it is needed."""

import math
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from gapkit.embeddings.columns import ID_NAMES, WORDS, listed, names_of, pick
from gapkit.errors import InputError

PICKLED = "holds pickled objects, which could run code; save plain numbers"
LARGE, TOO_DENSE = 100_000_000, 100  # an archive of numbers that shrinks a hundredfold is a trap


def check_size(unpacked: int, path: Path) -> None:
    """Raise if what is to be read is far larger in memory than on the disk, taken together."""
    packed = max(path.stat().st_size, 1)
    if unpacked > LARGE and unpacked > TOO_DENSE * packed:
        raise InputError(f"{path} would unpack {unpacked:,} bytes from {packed:,}")


@dataclass(frozen=True)
class Table:
    """What was read of a file.

    Attributes
    ----------
    matrices, names : by side
    labels : of the images, where an archive or the images' own table has them: rows, or names of texts
    used : what was used and what was left out
    ids : by column, what may say which image, or class, each row is about, the likeliest first; of a table with both
        sides the texts'
    image_of_text : where an archive has it, and what it is called
    """

    matrices: dict[str, np.ndarray]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: np.ndarray | None = None
    used: str = ""
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    image_of_text: tuple[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Member:
    """An array of an archive that is read when it is needed: its shape and the kind of its dtype come from its header."""

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]

    def is_row(self, count: int, kinds: str) -> bool:
        """Whether it has a number, or a word, for each of so many rows."""
        return self.kind in kinds and self.shape in ((count,), (count, 1))

    def labels(self) -> np.ndarray:
        """Its entries as labels: rows, or names of texts."""
        return np.array(self.words()) if self.kind in "US" else as_rows(self.load().reshape(-1))

    def words(self) -> tuple[str, ...]:
        """Its entries as texts."""
        entries = self.load().reshape(-1).tolist()
        return tuple(e.decode(errors="replace") if isinstance(e, bytes) else str(e) for e in entries)


def open_archive(path: Path) -> dict[str, Member]:
    """The members of an ``.npz`` or of a safetensors file, by name."""
    return _open_npz(path) if path.suffix.lower() == ".npz" else _open_safetensors(path)


def _open_npz(path: Path) -> dict[str, Member]:
    def load(name: str) -> np.ndarray:
        with np.load(path, allow_pickle=False) as archive:
            return archive[name]

    members: dict[str, Member] = {}
    with zipfile.ZipFile(path) as archive:
        check_size(sum(member.file_size for member in archive.infolist()), path)
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.filename.startswith(("/", "..")) or not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as file:
                first = np.lib.format.read_magic(file) == (1, 0)
                header = getattr(np.lib.format, f"read_array_header_{1 if first else 2}_0")
                shape, _, dtype = header(file)
            check_size(math.prod(shape) * dtype.itemsize, path)
            members[name] = Member(shape, "O" if dtype.hasobject else dtype.kind, partial(load, name))
    return members


def _open_safetensors(path: Path) -> dict[str, Member]:
    from safetensors import safe_open

    def load(name: str) -> np.ndarray:
        with safe_open(path, framework="pt") as file:
            tensor = file.get_tensor(name)
        half = tensor.is_floating_point() and tensor.element_size() < 4
        return (tensor.float() if half else tensor).numpy()

    members = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            part = file.get_slice(name)
            stored = part.get_dtype()
            kind = "f" if "F" in stored else {"B": "b", "I": "i", "U": "u"}.get(stored[0], stored)
            members[name] = Member(tuple(part.get_shape()), kind, partial(load, name))
    return members


def check_sides(used: dict[str, str], path: Path) -> None:
    """Raise where both sides would be the same."""
    if len(set(used.values())) < len(used):
        raise InputError(f"{path}: both sides would be {used['images']!r}; use --image-key and --text-key")


def used_and_left(path: Path, used: list[str], left: list[str]) -> str:
    """What is said of a file: what was used, and what was left out."""
    return f"{path.name}: {', '.join(used)}" + (f"; left out: {listed(left)}" if left else "")


def read_archive(
    path: Path, sides: Sequence[str], keys: dict[str, str | None], options, labels: bool
) -> Table:
    """The sides of an archive, from the members that are meant; the arguments are those of `read_table`."""
    members, alone = open_archive(path), len(sides) == 1
    fit = [name for name, member in members.items() if len(member.shape) == 2 and member.kind in "fiu"]
    stacked = [n for n, m in members.items() if len(m.shape) == 3 and m.shape[0] == 2 and m.kind in "fiu"]
    if not fit and len(stacked) == 1 and not alone and not any(keys.values()):
        both, used = members[stacked[0]].load(), {"images": stacked[0]}
        matrices = {"images": both[0], "texts": both[1]}
    else:
        used = {side: _pick_member(path, members, fit, side, keys[side], alone) for side in sides}
        check_sides(used, path)
        matrices = {side: members[name].load() for side, name in used.items()}
    found = {"matrices": matrices, "names": {}}
    for side, matrix in matrices.items():
        if name := _row(members, names_of(side, alone), len(matrix), "US", used):
            found["names"][side], used[f"names of the {side}"] = members[name].words(), name
    if labels and "images" in sides and (name := _labels_of(path, members, len(matrices["images"]), used)):
        found["labels"], used["labels"] = members[name].labels(), name
    elif not alone and len(matrices["texts"]) >= (n := len(matrices["images"])):
        name = _row(members, WORDS["owners"], len(matrices["texts"]), "iu", used)
        if name and np.array_equal(np.unique(members[name].load()), np.arange(n)):
            found["image_of_text"] = name, members[name].load().reshape(-1)
            used["image of each text"] = name
    if alone or len(matrices["texts"]) != len(matrices["images"]):
        rows, about = len(matrices[sides[-1]]), ID_NAMES if alone else WORDS["class_ids"]
        fit = {n.lower(): n for n, member in members.items() if member.is_row(rows, "USiuf")}
        told = {name: members[fit[name]].words() for name in about if name in fit}
        found["ids"] = {name: tuple(w.removesuffix(".0") for w in words) for name, words in told.items()}
    left = [n + " (pickled)" * (m.kind == "O") for n, m in members.items() if n not in used.values()]
    said = [f"{what} from {name}" for what, name in used.items()]
    return Table(**found, used=used_and_left(path, said, left))


def _row(members, known: Iterable[str], rows: int, kinds: str, used: dict) -> str | None:
    """The first member that is called like one of ``known`` and has an entry for each row."""
    fit = {name.lower(): name for name, member in members.items() if member.is_row(rows, kinds)}
    return next((fit[name] for name in known if name in fit and fit[name] not in used.values()), None)


def _pick_member(path: Path, members, fit, side: str, key: str | None, alone: bool) -> str:
    pickled = [name for name, member in members.items() if member.kind == "O"]
    meant = [name for name in pickled if name.lower() in WORDS["matrices"][side]]
    if not members:
        raise InputError(f"{path} holds no array")
    known = [*fit, key] if key in members and key not in fit else fit or list(members)
    try:
        name = pick(known, side, key, path, alone=alone)
    except InputError as fault:
        if meant or (pickled and not fit):
            raise InputError(f"{path}: {(meant or pickled)[0]!r} {PICKLED}") from fault
        raise
    if members[name].kind == "O" or (meant and key is None and name.lower() not in WORDS["matrices"][side]):
        raise InputError(f"{path}: {(meant or [name])[0]!r} {PICKLED}")
    return name


def _labels_of(path: Path, members, rows: int, used) -> str | None:
    """The member with each image's label, or failing numbers with the name of its text; several that differ are an error."""
    free = {name.lower(): name for name in members if name not in used.values()}
    known = [free[word] for word in WORDS["labels"] if word in free]
    numbered, named = ([n for n in known if members[n].is_row(rows, kinds)] for kinds in ("iuf", "US"))
    found = numbered or named
    each = [members[name].load().reshape(-1) for name in found]
    if not all(np.array_equal(one, each[0]) for one in each[1:]):
        raise InputError(f"{path} has several labels, {listed(found)}; bring one with --labels FILE.npy")
    return found[0] if found else None


def as_rows(rows: np.ndarray) -> np.ndarray:
    """Whole numbers that are stored as floats, as such."""
    whole = rows.dtype.kind == "f" and np.isfinite(rows).all() and (rows == np.round(rows)).all()
    return rows.astype(np.int64) if whole else rows
