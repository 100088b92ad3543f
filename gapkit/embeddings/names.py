"""What people call matrices, columns and what rows are about; which of them is meant, or an error that asks."""

import re
from collections.abc import Iterable, Sequence

from gapkit.embeddings.cells import MISSING
from gapkit.errors import InputError

NAMES = {
    "images": (
        *("image_name", "image_names", "image_path", "image_paths", "img_path", "image_file", "file_name"),
        *("filename", "filenames", "file", "files", "filepath", "file_path", "path", "paths", "image", "img"),
        *(
            "url",
            "image_url",
            "name",
            "names",
            "image_id",
            "img_id",
            "photo_id",
            "image_ids",
            "id",
            "ids",
            "key",
            "uid",
        ),
    ),
    "texts": (
        *("caption", "captions", "text", "texts", "sentence", "sentences", "prompt", "prompts", "title"),
        *("description", "class_name", "class_names", "classes", "class", "label_name", "label", "name"),
        *("names", "text_name", "text_names", "text_id", "caption_id", "id", "key", "uid"),
    ),
}
"""Columns that say what the rows are, in lower case, the likeliest first."""
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
NO_COORDINATES = frozenset([
    "id", "ids", "idx", "index", "row", "cocoid", "score", "scores", "price", "prices", "time",
    "timestamp", "date", "year", "month", "day", "hour", "minute", "label", "labels", "class", "target",
    "category", "rank", "rating", "ratings", "count", "num", "width", "height", "size", "area", "bbox",
    "box", "lat", "lon", "latitude", "longitude", "prob", "probs", "probability", "logit", "logits",
    "loss", "age", "split", "fold", "similarity", "sim", "views", "likes", "clicks", "bboxes", "boxes",
    "mask", "masks", "token", "tokens", "keypoints", "rgb", "color", "colour", "colors", "colours",
    "polygon", "segmentation", "offsets", "neighbors", "neighbours", "topk",
])  # fmt: skip
COORDINATES = frozenset([
    "d", "dim", "dims", "dimension", "e", "em", "emb", "embs", "embed", "embeds", "embedding",
    "embeddings", "f", "feat", "feats", "feature", "features", "v", "vec", "vector", "x", "y", "z", "c",
    "col", "column", "coord", "coords", "component", "components", "pc", "latent", "h", "hidden", "value",
    "val", "clip", "image", "images", "img", "text", "texts", "txt", "caption", "visual",
])  # fmt: skip
_WEIGHTS = frozenset(["proj", "projection", "weight", "weights", "bias", "kernel"])  # of a model
EMBEDDING = re.compile("emb|feat|vec|latent|hidden|clip", re.IGNORECASE)
NUMBERED = re.compile(r"(?P<stem>.*?)[\s_.:\-\[(]*(?P<number>\d{1,7})[\])]?")
MOST_LISTED = 200


def tokens(name: str) -> set[str]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return {word.lower() for word in re.split(r"[^A-Za-z]+", words) if word}


def is_title(cell: str) -> bool:
    """Whether a cell is what columns are usually called."""
    known = tokens(cell) & (COORDINATES | NO_COORDINATES)
    return bool(known) or bare(cell) in {*NAMES["images"], *NAMES["texts"]}


def could_be_names(cells: Sequence[str]) -> bool:
    """Whether cells can be the names of columns, and no bad cells of a row: they differ, and begin with a letter."""
    if len(set(cells)) < len(cells):
        return False
    for cell in cells:
        letters = re.sub(r"^[\W_]+", "", cell)
        words = set(re.split(r"[\s,;\[\](){}]+", cell.lower())) - {""}
        numbered = NUMBERED.fullmatch(cell.strip())
        if not ((letters and letters[0].isalpha()) or (numbered and len(cells) > 1)) or words <= MISSING:
            return False
        if re.search(r"\d[\s,;]+[-+.\d]", cell) or cell.lower() in MISSING:  # several numbers
            return False
    return True


def pick(names: Sequence[str], side: str, key: str | None, path, *, alone: bool) -> str:
    """The one of ``names`` that is meant by ``key``, or is called like the side, or is the only one.

    Parameters
    ----------
    names : what the matrices of a file are called
    side : "images" or "texts"
    key : what the caller calls it
    alone : whether the file has only this side

    Raises
    ------
    InputError
        If none or several fit; the message names the option.
    """
    option = f"--{side[:-1]}-key"
    if key is not None:
        for alike in (str, str.lower, bare):
            matches = [name for name in names if alike(name) == alike(key)]
            if len(matches) == 1:
                return matches[0]
        raise InputError(f"{path} has no {key!r}; it has {listed(names)}")
    other = "texts" if side == "images" else "images"
    by_name = [name for name in names if bare(name) in KEYS[side]]
    if len(by_name) != 1:
        words = {"images": {"image", "images", "img", "visual", "vision", "photo"},
                  "texts": {"text", "texts", "txt", "caption", "captions"}}  # fmt: skip
        by_token = [
            name
            for name in by_name or names
            if tokens(name) & words[side] and not tokens(name) & (words[other] | _WEIGHTS)
        ]
        by_name = by_token if len(by_token) == 1 else by_name
        foreign = [name for name in names if tokens(name) & words[other] and len(name) > 1]
        if alone and not by_name and len(names) == 1:
            if foreign:
                raise InputError(
                    f"{path} has only {names[0]!r}, and {side} are wanted (is the order IMAGES TEXTS?); if that is meant: "
                    f"{option} {names[0]}"
                )
            return names[0]
        if alone and not by_name:
            by_name = [name for name in names if tokens(name) & COORDINATES and name not in foreign]
    if len(by_name) == 1:
        return by_name[0]
    raise InputError(f"which matrix of {path} is meant? It has {listed(names)}; use {option} NAME")


def bare(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower()).rstrip("_")


def names_images(name: str) -> bool:
    """Whether a column's name says that its rows are about images."""
    words = {
        "image",
        "images",
        "img",
        "photo",
        "file",
        "filename",
        "filenames",
        "filepath",
        "files",
        "path",
        "paths",
        "url",
    }
    return bool(tokens(name) & words)


def listed(names: Iterable[str]) -> str:
    """Names as messages show them: on one line of limited length."""
    text = " ".join(", ".join(str(name) or "(no name)" for name in names).split())
    return text if len(text) <= MOST_LISTED else f"{text[: MOST_LISTED - 2]} …"
