"""COCO captions (Lin et al. 2014; Chen et al. 2015) as retrieval, from ``captions_*.json`` and a folder."""

from pathlib import Path

from gapkit._arrays import check_choice
from gapkit.datasets.base import Dataset
from gapkit.datasets.images import FileImages
from gapkit.datasets.records import entry, inner_path, read_json, records_of
from gapkit.errors import InputError


def coco(*, root, annotations, limit: int | None = None, caption: str = "first") -> Dataset:
    """Images and one caption of each, in the annotation file's order.

    Parameters
    ----------
    root : folder of the images, such as ``val2017``
    annotations : path of ``captions_val2017.json``
    limit : take only the first so many images
    caption : "first" takes the caption with the lowest id, "longest" the longest

    Raises
    ------
    InputError
        If the annotation file is damaged or a path in it leads out of ``root``.
    """
    check_choice(caption, "caption", ("first", "longest"))
    path = Path(annotations)
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} is no caption file of COCO: it holds no object")
    captions: dict[int, list[tuple[int, str]]] = {}
    for number, record in enumerate(records_of(content.get("annotations"), f"{path}: annotations")):
        where = f"{path}: annotation {number}"
        text = entry(record, "caption", str, where).strip()
        captions.setdefault(entry(record, "image_id", int, where), []).append(
            (entry(record, "id", int, where), text)
        )
    names, chosen = [], []
    for number, record in enumerate(records_of(content.get("images"), f"{path}: images")):
        where = f"{path}: image {number}"
        name = inner_path(entry(record, "file_name", str, where), where)
        offered = captions.get(entry(record, "id", int, where))
        if offered is None:
            continue
        best = min(offered) if caption == "first" else max(offered, key=lambda one: (len(one[1]), -one[0]))
        if best[1]:
            names.append(name)
            chosen.append(best[1])
    if not names:
        raise InputError(f"{path} has no image with a caption")
    return Dataset(
        name="coco",
        images=FileImages(root, names[:limit]),
        prompts=chosen[:limit],
        task="pairs",
        notes={"annotations": path.name, "caption": caption},
    )
