"""Files of embeddings as others write them, read into matrices by name; whatever is wrong with one is one clear line.

Pickled arrays are never unpacked, and what is far larger in memory than on the disk is refused.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapkit._files import check_regular
from gapkit.embeddings.columns import NAMES, find_groups, id_column, listed, name_column, pick
from gapkit.embeddings.layout import TableOptions
from gapkit.embeddings.parquet import ParquetTable
from gapkit.embeddings.sizes import check_size
from gapkit.embeddings.text_table import TextTable
from gapkit.errors import InputError, refuse_as_damaged

KEYS = {
    "images": (
        *("images", "image", "image_embeddings", "image_embedding", "image_features", "image_feature"),
        *("image_embeds", "image_embed", "image_emb", "img_emb", "img"),
    ),
    "texts": (
        *("texts", "text", "text_embeddings", "text_embedding", "text_features", "text_feature"),
        *("text_embeds", "text_embed", "text_emb", "txt_emb", "captions", "txt"),
    ),
}
"""What the matrices of each side are called."""
OWNERS = (
    "image_of_text",
    "txt2img",
    "text_to_image",
    "image_ids",
    "img_ids",
    "image_index",
    "image_indices",
    "image_id",
)
"""Members of an archive that say which image each text describes, if their numbers are those of the images."""
LABELS = ("labels", "label_ids", "label", "targets", "target", "class_ids", "y", "y_true")
_PICKLED = "holds pickled objects, which could run code; save plain numbers"
_HINTS = {
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".joblib"), "such files can run code"),
    **dict.fromkeys((".gz", ".zip", ".xz", ".bz2", ".zst"), "unpack it first"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save the sheet as CSV"),
}


@dataclass(frozen=True)
class Table:
    """What was read of a file.

    Attributes
    ----------
    matrices, names : by side
    labels : of the images, where an archive has them
    used : what was used and what was left out
    image_ids : of a table with one side, which image each row is about, as `id_column` finds it, and that column's name
    image_of_text : where an archive has it
    """

    matrices: dict[str, np.ndarray]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: np.ndarray | None = None
    used: str = ""
    image_ids: tuple[str, tuple[str, ...]] | None = None
    image_of_text: np.ndarray | None = None


def read_table(
    path: Path,
    sides: Sequence[str] = ("images", "texts"),
    *,
    keys: dict[str, str | None] | None = None,
    options: TableOptions | None = None,
    labels: bool = True,
) -> Table:
    """The sides of a file: ``.npy``, ``.npz``, ``.safetensors``, ``.parquet``, or a table of text.

    Parameters
    ----------
    path : the file
    sides : which of "images" and "texts" it has
    keys : what the caller calls each side's matrix
    options : what the caller says of a table's layout
    labels : whether to look for labels in an archive

    Raises
    ------
    InputError
        If it is missing, damaged, pickled, far larger in memory than on the disk, has no coordinates, or could be read
        in two ways.
    """
    keys, options = {"images": None, "texts": None, **(keys or {})}, options or TableOptions()
    check_regular(path)
    ending = path.suffix.lower()
    if ending not in _READERS:
        hint = f" ({_HINTS[ending]})" if ending in _HINTS else ""
        raise InputError(f"{path} ends in none of {', '.join(_READERS)}{hint}; save it as one of them")
    read = _READERS[ending]
    if options.given and read in (_read_npy, _read_archive):
        raise InputError(f"{options.given[0]} describes a table; {path} is none")
    if read is _read_parquet and (foreign := [name for name in options.given if name != "--columns"]):
        raise InputError(f"{foreign[0]} describes a table of text; {path} is none")
    try:
        return read(path, tuple(sides), keys, options, labels)
    except InputError:
        raise
    except ImportError as fault:
        raise InputError(f'{path} needs the package {fault.name}; pip install "gapkit[parquet]"') from fault
    except Exception as fault:  # numpy, pyarrow and zipfile raise nearly everything
        reason = " ".join(str(fault).split())[:150] or type(fault).__name__
        if any(words in reason for words in ("allow_pickle", "Object arrays", "Python objects")):
            raise InputError(f"{path} {_PICKLED}") from fault
        refuse_as_damaged(fault, f"cannot read {path}: {reason}")


def read_matrix(path: Path) -> np.ndarray:
    """The one matrix of a file, such as one of cosines: all of its columns of numbers.

    Raises
    ------
    InputError
        As `read_table`, or if the file has several.
    """
    if path.suffix.lower() == ".npy" and path.is_file():
        return read_table(path, ("images",)).matrices["images"]
    if _READERS.get(path.suffix.lower()) is _read_archive and path.is_file():
        found = [name for name, array in _open_archive(path).items() if array.ndim == 2]
        if len(found) != 1:
            raise InputError(f"{path} must hold one matrix; it has {listed(found)}")
        return read_table(path, ("images",), keys={"images": found[0]}).matrices["images"]
    table = _table_of(path, TableOptions()) if path.is_file() and path.suffix.lower() in _READERS else None
    if table is None:
        return read_table(path, ("images",)).matrices["images"]  # says what is wrong
    numbers = [column for column in table.columns if column.kind == "number"]
    if len(numbers) == len(table.columns):
        return table.read({"": numbers}, {})[0][""]
    return read_table(path, ("images",)).matrices["images"]


def _read_npy(path: Path, sides, keys, options, labels) -> Table:
    matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(sides) == 1:
        return Table({sides[0]: matrix})
    if matrix.ndim != 3 or matrix.shape[0] != 2:
        raise InputError(
            f"{path} holds one matrix of shape {matrix.shape}; name a second file with the texts, "
            "or bring one of shape (2, n, d)"
        )
    return Table({"images": matrix[0], "texts": matrix[1]})


@dataclass(frozen=True)
class _Member:
    """An array of an archive that is read when it is needed: its shape and dtype come from its header."""

    shape: tuple[int, ...]
    kind: str
    load: object

    @property
    def ndim(self) -> int:
        return len(self.shape)


def _open_archive(path: Path) -> dict[str, _Member]:
    return _open_npz(path) if path.suffix.lower() == ".npz" else _open_safetensors(path)


def _open_npz(path: Path) -> dict[str, _Member]:
    members: dict[str, _Member] = {}
    with zipfile.ZipFile(path) as archive:
        check_size(sum(member.file_size for member in archive.infolist()), path)
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.filename.startswith(("/", "..")) or not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                    version, np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = header(file)
            members[name] = _Member(
                shape, "O" if dtype.hasobject else dtype.kind, lambda name=name: _npz_member(path, name)
            )
    return members


def _npz_member(path: Path, name: str) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        return archive[name]


def _open_safetensors(path: Path) -> dict[str, _Member]:
    from safetensors import safe_open

    def load(name: str) -> np.ndarray:
        with safe_open(path, framework="pt") as file:
            tensor = file.get_tensor(name)
        if tensor.is_floating_point() and tensor.element_size() < 4:
            tensor = tensor.float()
        return tensor.numpy()

    members = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            part = file.get_slice(name)
            stored = part.get_dtype()
            kind = "f" if "F" in stored else {"B": "b", "I": "i", "U": "u"}.get(stored[0], stored)
            members[name] = _Member(tuple(part.get_shape()), kind, lambda name=name: load(name))
    return members


def _read_archive(path: Path, sides, keys, options, labels) -> Table:
    members = _open_archive(path)
    fit = [name for name, member in members.items() if member.ndim == 2 and member.kind in "fiu"]
    stacked = [name for name, m in members.items() if m.ndim == 3 and m.shape[0] == 2 and m.kind in "fiu"]
    if not fit and len(stacked) == 1 and len(sides) == 2 and not any(keys.values()):
        both, used = members[stacked[0]].load(), {"images": stacked[0]}
        matrices = {"images": both[0], "texts": both[1]}
    else:
        used = {side: _pick_member(path, members, fit, side, keys[side], len(sides) == 1) for side in sides}
        if len(set(used.values())) < len(used):
            raise InputError(
                f"{path}: both sides would be {used['images']!r}; use --image-key and --text-key"
            )
        matrices = {side: members[name].load() for side, name in used.items()}
    names = {}
    for side, matrix in matrices.items():
        if (name := _names_of(members, side, len(matrix), len(sides) == 1, used)) is not None:
            names[side] = tuple(map(_text, members[name].load().tolist()))
            used[f"names of the {side}"] = name
    rows = None
    if labels and "images" in sides and (name := _labels_of(path, members, len(matrices["images"]), used)):
        rows = as_rows(members[name].load().reshape(-1))
        used["labels"] = name
    owner = None
    if len(sides) == 2 and len(matrices["texts"]) > len(matrices["images"]) and rows is None:
        name = _owners_of(members, len(matrices["images"]), len(matrices["texts"]))
        if name is not None:
            owner, used["image of each text"] = members[name].load().reshape(-1), name
    left = [
        f"{name}{' (pickled)' if members[name].kind == 'O' else ''}"
        for name in members
        if name not in used.values()
    ]
    said = ", ".join(f"{what} from {name}" for what, name in used.items())
    return Table(
        matrices,
        names,
        rows,
        f"{path.name}: {said}" + (f"; left out: {listed(left)}" if left else ""),
        image_ids=_ids_of(members, len(matrices[sides[0]])) if len(sides) == 1 else None,
        image_of_text=owner,
    )


def _pick_member(path: Path, members, fit, side: str, key: str | None, alone: bool) -> str:
    pickled = [name for name, member in members.items() if member.kind == "O"]
    if key in members and key not in fit:
        fit = [*fit, key]
    if not members:
        raise InputError(f"{path} holds no array")
    try:
        name = pick(fit or list(members), side, key, path, alone=alone, known=KEYS)
    except InputError as fault:
        meant = [name for name in pickled if name.lower() in KEYS[side]]
        if meant or (pickled and not fit):
            raise InputError(f"{path}: {(meant or pickled)[0]!r} {_PICKLED}") from fault
        raise
    if members[name].kind == "O":
        raise InputError(f"{path}: {name!r} {_PICKLED}")
    if (
        any(other != name and other.lower() in KEYS[side] and len(other) > 1 for other in pickled)
        and key is None
        and (name.lower() not in KEYS[side])
    ):
        raise InputError(f"{path} {_PICKLED}")
    return name


def _names_of(members, side: str, rows: int, alone: bool, used) -> str | None:
    other = "texts" if side == "images" else "images"
    known = {name.lower(): name for name, m in members.items() if m.kind in "US" and m.shape == (rows,)}
    for name in (*NAMES[side], *(NAMES[other] if alone else ())):
        if name in known and known[name] not in used.values():
            return known[name]
    return None


def _labels_of(path: Path, members, rows: int, used) -> str | None:
    """The member with each image's label; several that differ are an error."""
    lower = {name.lower(): name for name in members if name not in used.values()}
    found = [
        lower[name]
        for name in LABELS
        if name in lower
        and members[lower[name]].kind in "iuf"
        and members[lower[name]].shape in ((rows,), (rows, 1))
    ]
    first = members[found[0]].load().reshape(-1) if found else None
    for name in found[1:]:
        if not np.array_equal(members[name].load().reshape(-1), first):
            raise InputError(
                f"{path} has several members that could be labels, {listed(found)}; bring one with --labels FILE.npy"
            )
    return found[0] if found else None


def as_rows(rows: np.ndarray) -> np.ndarray:
    """Whole numbers that are stored as floats, as such."""
    whole = rows.dtype.kind == "f" and np.isfinite(rows).all() and (rows == np.round(rows)).all()
    return rows.astype(np.int64) if whole else rows


def _ids_of(members, rows: int) -> tuple[str, tuple[str, ...]] | None:
    """Which image each row is about, and the member that says it."""
    known = {name.lower(): name for name, m in members.items() if m.kind in "USiu" and m.shape == (rows,)}
    name = next((known[name] for name in NAMES["images"] if name in known), None)
    return name and (name, tuple(map(_text, members[name].load().tolist())))


def _owners_of(members, images: int, texts: int) -> str | None:
    """The member with the image of each text; its numbers must be those of all images."""
    fit = [
        name
        for name, member in members.items()
        if name.lower() in OWNERS and member.kind in "iu" and member.shape in ((texts,), (texts, 1))
    ]
    return next(
        (name for name in fit if np.array_equal(np.unique(members[name].load()), np.arange(images))), None
    )


def _text(value) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _table_of(path: Path, options: TableOptions):
    return ParquetTable(path) if path.suffix.lower() == ".parquet" else TextTable(path, options)


def _read_table(path: Path, sides, keys, options, labels) -> Table:
    table = _table_of(path, options)
    if options.columns is not None and len(sides) > 1:
        raise InputError(
            f"--columns is for a file with one side; {path} has both: use --image-key and --text-key"
        )
    groups = find_groups(table.columns, path, options.columns)
    alone = len(sides) == 1
    if not alone and len(groups) == 1:
        raise InputError(
            f"{path} holds one matrix, {_range(next(iter(groups.values())))}; name a second file with the texts"
        )
    used = {
        side: (
            next(iter(groups))
            if options.columns is not None
            else _pick_group(groups, side, keys[side], path, alone)
        )
        for side in sides
    }
    if len(set(used.values())) < len(used):
        raise InputError(
            f"{path}: both sides would be {next(iter(used.values()))!r}; use --image-key and --text-key"
        )
    names = {
        side: column
        for side in sides
        if (column := name_column(table.columns, side, alone=alone, paths=table.paths)) is not None
    }
    asked = id_column(table.columns) if alone else None
    matrices, texts = table.read(
        {side: groups[group] for side, group in used.items()}, names | ({"": asked} if asked else {})
    )
    ids = (asked.shown, tuple(text.removesuffix(".0") for text in texts.pop(""))) if asked else None
    taken = {column.place for group in used.values() for column in groups[group]}
    taken |= {column.place for column in names.values()}
    left = [column.shown for column in table.columns if column.place not in taken and column.kind != "empty"]
    said = [f"{'' if alone else f'{side}: '}{_range(groups[group])}" for side, group in used.items()]
    said += [f"names{'' if alone else f' of {side}'} from {column.shown}" for side, column in names.items()]
    said += table.notes
    return Table(
        matrices,
        texts,
        None,
        f"{path.name}: {', '.join(said)}" + (f"; left out: {listed(left)}" if left else ""),
        ids,
    )


def _pick_group(groups, side: str, key: str | None, path: Path, alone: bool) -> str:
    if alone and key is None and len(groups) == 1 and len(next(iter(groups))) < 2:
        return next(iter(groups))
    return pick(list(groups), side, key, path, alone=alone, known=KEYS)


def _range(columns) -> str:
    if len(columns) == 1:
        return f"vectors from {columns[0].shown}"
    return f"{len(columns)} columns, {columns[0].shown} to {columns[-1].shown}"


def _read_parquet(path: Path, sides, keys, options, labels) -> Table:
    return _read_table(path, sides, keys, options, labels)


_READERS = {
    ".npy": _read_npy,
    ".npz": _read_archive,
    ".safetensors": _read_archive,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".tab": _read_table,
    ".txt": _read_table,
    ".dat": _read_table,
    ".parquet": _read_parquet,
}
