"""Other people's embeddings: ``.npy``, ``.npz``, CSV, parquet and foreign safetensors as an `EmbeddingSet`.

Pickled arrays are refused, always.
"""

import itertools
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np

from gapkit._files import check_regular
from gapkit._options import check_choice
from gapkit.embeddings.archives import as_rows
from gapkit.embeddings.columns import WORDS, bare, listed, names_images
from gapkit.embeddings.files import MATRICES
from gapkit.embeddings.layout import TableOptions
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.embeddings.tables import Table, read_matrix, read_table
from gapkit.errors import InputError, refusing

MOST_BYTES = 2**26
_ALIKE = "say --image-of-text 1 if rows match all the same, or FILE with the row of each text's image"
_BRING = "bring the row of each image's text with --labels FILE"
_NEAR_ONE = (0.9959, 1.0041)
"""Lengths that rounding leaves of 1: float16 half a part in a thousand, bfloat16 up to four."""


def import_embeddings(
    images: str | os.PathLike,
    texts: str | os.PathLike | None = None,
    *,
    labels: str | os.PathLike | None = None,
    task: str | None = None,
    normalise: str = "auto",
    image_key: str | None = None,
    text_key: str | None = None,
    header: str | int = "auto",
    separator: str | None = None,
    decimal: str | None = None,
    columns: str | None = None,
    image_of_text: str | int | os.PathLike | None = None,
    captions: str = "all",
    metadata: dict | None = None,
) -> EmbeddingSet:
    """Embeddings from files that gapkit did not write; what was used of them and what was left out is in the metadata.

    Parameters
    ----------
    images : file with the images' embeddings, (n, d); or with both sides, if ``texts`` is left out: an ``.npz``
        or ``.safetensors`` with two matrices, an ``.npy`` of shape (2, n, d), images first, or a table with both
    texts : file with the texts' embeddings, (k, d)
    labels : file with n whole numbers, the row of each image's right text (``.npy``, or text, one a line); by default
        those beside the images, as rows, or as the ids or names of classes that the texts have beside them
    task : "pairs" or "zero-shot"; by default "zero-shot" where there are labels
    normalise : "yes" divides every row by its length, "no" keeps all as it is, "auto" divides where every
        row already has length 1 but for the rounding of half precision (0.996 to 1.004)
    image_key, text_key : names of the matrices in an archive, or of a table's column of vectors or numbered columns
        ("emb" for emb_1, emb_2, …)
    header : of a table of text: "yes", "no", the number of its line, or "auto"
    separator : of a table of text: a character, or comma, semicolon, tab, pipe, space
    decimal : the decimal mark, "." or ","
    columns : which columns of a table are coordinates: names (places from 1 without a header), FIRST..LAST, patterns
        with ``*``, divided by commas
    image_of_text : where images have several captions, the row of each text's image: a file of k whole numbers, or how
        many captions each image has, one image's after the other's; by default found where the files say it with certainty
        (ids of images beside the texts, an image's row repeated for each caption)
    captions : "all", of which any is right, or "first"
    metadata : what is known of the model and the data

    Raises
    ------
    InputError
        If a file is missing, damaged, pickled, of another form, could be read in two ways, or the sides do not fit.
    """
    check_choice(normalise, "normalise", ("auto", "yes", "no"))
    check_choice(captions, "captions", ("all", "first"))
    options = TableOptions(header, separator, decimal, columns)
    how: dict = {"keys": {"images": image_key, "texts": text_key}, "options": options}
    how["labels"] = labels is None and task != "pairs"
    files = {("images", "texts"): images} if texts is None else {("images",): images, ("texts",): texts}
    tables = [read_table(Path(path), sides, **how) for sides, path in files.items()]
    matrices = {side: matrix for table in tables for side, matrix in table.matrices.items()}
    names = {side: found for table in tables for side, found in table.names.items()}
    rows = tables[0].labels if labels is None else _read_labels(Path(labels))
    y, x = matrices["images"], matrices["texts"]
    if rows is not None and rows.dtype.kind == "U" and len(y) == len(x) and task != "zero-shot":
        rows = None
    elif rows is not None and labels is None:
        rows = _rows_of_labels(rows, names.get("texts", ()), tables[-1].ids)
    owner, said = None, []
    if rows is None and task in (None, "pairs") and y.ndim == x.ndim == 2:
        y, owner, said = _group(tables, y, x, names, image_of_text, captions)
    elif image_of_text is not None:
        raise InputError("--image-of-text is for pairs; it goes with no labels and no other task")
    if owner is None:
        _check_counts(y, x, rows, task, named=labels is not None)
    used = [*dict.fromkeys(table.used for table in tables if table.used), *said]
    about: dict = {"imported_from": [Path(path).name for path in files.values()]}
    about |= ({"columns": used} if used else {}) | (metadata or {})
    fields: dict = {f"{side[:-1]}_names": found for side, found in names.items()}
    fields |= {"labels": rows, "image_of_text": owner, "metadata": about}
    entries = EmbeddingSet(y, x, task or ("pairs" if rows is None else "zero-shot"), **fields)
    return _normalised(entries.first_captions() if captions == "first" else entries, normalise)


def _rows_of_labels(labels: np.ndarray, names: tuple[str, ...], ids: dict) -> np.ndarray:
    """Labels beside the images as rows of the texts: ids of their classes, or what they are called; else they are rows."""
    if labels.dtype.kind not in "iuU" or (labels.dtype.kind == "i" and labels.min(initial=0) < 0):
        return labels  # refused by whoever checks answers
    words = labels if labels.dtype.kind == "U" else labels.astype(str)
    if not all(word.isdecimal() for word in words):
        return _rows_of_words(words, names)
    rows, called = words.astype(np.int64), dict(ids)
    known = {what: found for what, found in called.items() if bare(what) in WORDS["class_ids"]}
    if names and all(name.isdecimal() for name in names):
        known |= {"names": names} if labels.dtype.kind == "U" else {}
        called |= {"names": names}
    for what, found in known.items():
        if not all(word.isdecimal() for word in found) or _counts(found):
            continue
        places = {int(word): row for row, word in enumerate(found)}
        if len(places) == len(found) and all(row in places for row in rows):
            return np.array([places[row] for row in rows])
        raise InputError(f"labels are not all one of the {what} of the texts, {listed(found)}; {_BRING}")
    if what := next((what for what, found in called.items() if _is_shuffled(found)), None):
        raise InputError(f"are labels rows of the texts, or their {what} ({listed(called[what])})? {_BRING}")
    if 2 * len({*names}) <= len(names) and rows.max(initial=0) < len({*names}):
        few = f"the {len(names)} texts have {len({*names})} names, and labels count {rows.max() + 1}"
        raise InputError(f"{few}: several texts a class? Keep one (their mean), or {_BRING}")
    return rows


def _counts(words: tuple[str, ...]) -> bool:
    """Whether words are 0, 1, 2, …"""
    return all(word == str(row) for row, word in enumerate(words))


def _is_shuffled(words: tuple[str, ...]) -> bool:
    """Whether words are 0, 1, 2, … in another order."""
    return not _counts(words) and {*words} == {str(row) for row in range(len(words))}


def _rows_of_words(words: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Labels that are names of the texts, as their rows."""
    places = {name: row for row, name in enumerate(names)}
    if unknown := next((word for word in dict.fromkeys(words) if names.count(word) != 1), None):
        what = f"labels must be rows or names of texts, each of one; got {unknown[:60]!r}"
        raise InputError(f"{what}; known are {listed(names) or 'none'}; bring rows with --labels FILE")
    return np.array([places[word] for word in words])


def _group(
    tables: list[Table], images, texts, names: dict, given, captions: str
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Each image once, which image each text describes (None: row by row), and what is said of it."""
    n, k = len(images), len(texts)
    (told, owner), why = tables[0].image_of_text or ("", None), ""
    if given is not None:
        times = int(given) if str(given).isdecimal() else 0
        if times and n * times != k:
            raise InputError(f"--image-of-text {times} needs {n} × {times} texts for {n} images; got {k}")
        owner = np.arange(k) // times if times else _read_labels(Path(given))
    elif len(tables) == 2:
        owner, why = _matched_ids(*tables)
    elif owner is None and n == k:
        named = {side: {"names": found} for side, found in names.items()}
        _matched_ids(*(Table({}, ids=named.get(side, {})) for side in MATRICES))
    elif n == k and told.lower() not in WORDS["only_owners"] and not np.array_equal(owner, np.arange(n)):
        raise InputError(f"does {told} say which image each text describes, or number the pairs? {_ALIKE}")
    if owner is None and given is None and n == k:
        called = names.get("images") or [row.tobytes() for row in np.ascontiguousarray(images)]
        first: dict = {}
        each = np.array([first.setdefault(name, len(first)) for name in called])
        rows = np.unique(each, return_index=True)[1]
        sure = "images" in names or 1 < len(rows) <= n // 2  # a few that are alike may be other images
        if len(rows) < n and sure and np.array_equal(images[rows][each], images):
            if "images" in names:
                names["images"] = tuple(called[row] for row in rows)
            images, n, owner, why = images[rows], len(rows), each, " (rows of images repeat)"
    if owner is None or (n == k and np.array_equal(owner, np.arange(n))):
        return images, None, []
    kept = "the first of each is kept" if captions == "first" else "any of an image's is right"
    return images, owner, [f"{k} captions of {n} images{why}; {kept}"]


def _matched_ids(images: Table, texts: Table) -> tuple[np.ndarray | None, str]:
    """The row of each text's image, where both tables name the images; None where they don't, or name them row by row."""
    ours, theirs = (
        {name: ids for name, ids in table.ids.items() if bare(name) not in WORDS["class_ids"]}
        for table in (images, texts)
    )
    pairs = itertools.product(ours, theirs)
    for column, other in sorted(pairs, key=lambda p: (not names_images(p[1]), bare(p[0]) != bare(p[1]))):
        ids, wanted = ours[column], theirs[other]
        if not {*ids} & {*wanted}:  # a path beside a file's name, or without its ending
            ids, wanted = (tuple(map(_short_name, found)) for found in (ids, wanted))
            if len({*ids}) < len(ids) or not {*wanted} <= {*ids}:
                continue
        if ids == wanted:
            return None, ""
        places = {name: row for row, name in enumerate(ids)}
        lost = next((name for name in wanted if name not in places), None)
        about, once = names_images(other), len(places) == len(ids)
        if Counter(ids) == Counter(wanted) and not (about and once):  # an id of the texts themselves?
            what = f"{column} of the images and {other} of the texts are alike, in another order"
            raise InputError(f"{what}: {_ALIKE}")
        words = bare(column) == bare(other) and len(ids) == len(wanted) and not all(map(str.isdecimal, ids))
        most = about and 2 * sum(name in places for name in wanted) >= len(wanted)
        if once and lost is not None and (most or words):
            what = f"{other} of the texts names images that {column} of the images has not"
            say = "leave those texts out, or use --image-of-text FILE"
            raise InputError(f"{what}, such as {lost[:60]!r}; {say}")
        if once and lost is None and about:
            return np.array([places[name] for name in wanted]), f" (by column {other})"
    _check_order(ours, theirs)
    return None, ""


def _check_order(images: dict, texts: dict) -> None:
    """Raise where one side's rows are numbered in another order, and the other's are not."""
    for side, found in (("images", images), ("texts", texts)):
        if name := next((name for name, ids in found.items() if _is_shuffled(ids)), None):
            what = f"{name} of the {side} numbers them in another order ({listed(found[name])[:40]})"
            raise InputError(f"{what}; are the rows of the other side in it too? {_ALIKE}")


def _short_name(name: str) -> str:
    """The name of a file without folders, ending and leading zeros of its numbers."""
    stem = re.sub(r"\.[A-Za-z]\w{1,4}$", "", re.split(r"[/\\]", name)[-1])
    return re.sub(r"(?<!\d)0+(?=\d)", "", stem)


def _check_counts(images, texts, rows, task: str | None, *, named: bool) -> None:
    """Raise where the numbers of rows leave open which text belongs to an image; the message says how to say it."""
    if images.ndim != 2 or texts.ndim != 2 or 0 in (len(images), len(texts)):
        return  # said by `EmbeddingSet`, in its words
    n, k = len(images), len(texts)
    if rows is None and n != k and task != "multiple-choice":
        few, many = sorted((n, k))
        times = f"{many // few} for each of {few}: " if few and many % few == 0 else ""
        what = f"images and texts must be matched row by row; got {n} and {k} rows"
        say = f"say with --image-of-text {k // n if k % n == 0 else 'FILE'} which image each text describes"
        raise InputError(f"{what} ({times}{say}, or with --labels FILE the row of each image's text)")
    if rows is not None and not named and task is None and n == k and not np.array_equal(rows, np.arange(n)):
        what = f"the file has labels, and as many texts as images ({n}): are they classes or pairs?"
        raise InputError(f"{what} Say --task zero-shot or --task pairs")


def _unit(norms: np.ndarray) -> bool:
    return bool(_NEAR_ONE[0] <= norms.min() and norms.max() <= _NEAR_ONE[1])


def _normalised(entries: EmbeddingSet, normalise: str) -> EmbeddingSet:
    """``entries`` with rows of length 1 where that is asked for or was meant; the metadata say what was done."""
    norms = {side: np.linalg.norm(getattr(entries, side).astype(np.float64), axis=1) for side in MATRICES}
    for side, lengths in norms.items() if normalise == "auto" else ():
        rows = getattr(entries, side)
        if (
            len(rows) == rows.shape[1]
            and not _unit(lengths)
            and _unit(np.linalg.norm(rows.astype(float), axis=0))
        ):
            what = f"the {side}, {len(rows)} x {len(rows)}, have columns of length 1 and rows of others"
            raise InputError(f"{what}: one column each? Transpose them, or say --normalise yes or no")
    unit = all(map(_unit, norms.values()))
    divided = normalise == "yes" or (normalise == "auto" and unit)
    why = f"{'' if unit else 'not '}1 but for rounding" if normalise == "auto" else "as asked"
    said = "; ".join(f"lengths of {side} {each.min():.6g} … {each.max():.6g}" for side, each in norms.items())
    said += f": {'divided by them' if divided else 'kept'} ({why})"
    entries = entries.replace(metadata={**entries.metadata, "lengths": said})
    return entries.normalise() if divided else entries


def import_gram(
    path: str | os.PathLike,
    *,
    images: int,
    dimension: int,
    task: str | None = None,
    labels: str | os.PathLike | None = None,
    metadata: dict | None = None,
) -> EmbeddingSet:
    """Embeddings, up to a rotation, from a file with a matrix of all their cosines; see `EmbeddingSet.from_gram`.

    Parameters
    ----------
    path : ``.npy``, ``.csv`` or another table of n + k rows and columns, the n images first
    images, dimension, task, metadata : as in `EmbeddingSet.from_gram`
    labels : as in `import_embeddings`

    Raises
    ------
    InputError
        If the file cannot be read, or does not hold such a matrix.
    """
    gram, about = read_matrix(Path(path)), {"imported_from": [Path(path).name], **(metadata or {})}
    with refusing(InputError, before=f"{path}: "):
        rows = None if labels is None else _read_labels(Path(labels))
        known: dict = {"dimension": dimension, "task": task, "labels": rows, "metadata": about}
        return EmbeddingSet.from_gram(gram, images=images, **known)


def _read_labels(path: Path) -> np.ndarray:
    check_regular(path)
    kinds = InputError, ValueError, OSError, OverflowError, EOFError
    with refusing(*kinds, before=f"cannot read labels from {path}, one whole number a line: "):
        if path.suffix.lower() == ".npy":
            # mapped: what it claims to have must be there
            rows = as_rows(np.load(path, mmap_mode="r", allow_pickle=False))
            return rows[:, 0] if rows.ndim == 2 and rows.shape[1] == 1 else rows
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes are no list of labels; bring .npy")
        lines = path.read_text(encoding="utf-8-sig").split()
        return np.array([int(line) for line in lines], dtype=np.int64)
