"""Your own photographs: a folder with one subfolder for each class, or a CSV of paths and captions."""

import itertools
import os
import re
from collections import Counter, defaultdict
from pathlib import Path

from gapkit._files import check_regular
from gapkit.datasets.caption_tables import first_of, grouped, read_captions
from gapkit.datasets.captions import fill
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.images import FORMATS, FileImages, formats, same_letters, shown
from gapkit.errors import InputError

OTHER_IMAGES = (".heic", ".heif", ".jxl", ".svg", ".psd", ".eps", ".tga", ".ico")
OTHER_IMAGES += (".dng", ".cr2", ".nef", ".arw")
TOOLS = {
    "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "__macosx",
    "__pycache__", "system volume information", "lost+found", "thumbs.db", "desktop.ini",
}  # fmt: skip
"""Names in small letters of what operating systems, servers and tools leave in folders of images."""

_SPLIT = re.compile(r"(train|val|test|dev|eval)(ing|id|idation|ation|uation)?(set)?([ _.-].*|\d*)", re.I)
_CODE = re.compile(r"n\d{8}|\d{2,}\.")  # as ImageNet, CUB and Caltech name their folders
_NUMBERED = re.compile(r"(\.\w{2,5})#\d+$")
_SHOWN = 5
_HIDDEN = "hidden files and folders, and those of tools"
_OUTSIDE = "links out of the folder (follow them with --follow-links)"


def folder(
    *, root: str | os.PathLike, template="single", nested: bool = False, follow_links: bool = False
) -> Dataset:
    """Zero-shot classification: one subfolder for each class, whose name is the class's.

    Hidden files and folders, and those of tools (`TOOLS`), are left out at every depth; so is what is no image.
    ``notes["said"]`` names what was left out.

    Parameters
    ----------
    root : folder with at least two subfolders of images (underscores in their names become spaces)
    template : "single", "ensemble", a text with the gap ``{}``, or several such texts
    nested : subfolders are classes even if they look like splits of the data with the classes inside
    follow_links : read images, and subfolders, that are links to elsewhere; by default they are left out, and named

    Raises
    ------
    InputError
        If there are fewer than two classes, or two of one name, or the subfolders look like splits.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise InputError(f"no folder {root}")
    scan = _Scan(root, follow_links)
    classes: dict[str, list[str]] = {}
    for name in sorted(scan.folders(), key=lambda name: (same_letters(name), name)):
        images = scan.images_under(name)
        if images:
            classes.setdefault(same_letters(shown(name)).replace("_", " "), []).extend(images)
    _check_names(root, classes)
    if len(classes) < 2:
        left = f" ({said[0]})" if (said := scan.said()) else ""
        found = f"found {len(classes)}{left}. For images with captions write a CSV file instead"
        raise InputError(f"{root} must have at least two subfolders of images, one for each class; {found}")
    if not nested:
        _check_classes(root, classes)
    class_names, said = list(classes), scan.said()
    if all(map(_CODE.match, class_names)):
        what = f"the names of classes, such as {class_names[0]}, are codes or begin with numbers"
        said.append(f"{what}, and go into the prompts as they are; models read words: rename the folders")
    prompts = fill(template, class_names)
    images = [(label, path) for label, name in enumerate(class_names) for path in sorted(classes[name])]
    notes = {"folder": root.name, "template": template if isinstance(template, str) else list(template)}
    facts = {"labels": [label for label, _ in images], "text_names": class_names}
    files = FileImages(root, [path for _, path in images])
    notes |= {"said": said} if said else {}
    return Dataset("folder", files, prompts, "zero-shot", **facts, notes=notes)


def _check_names(root: Path, classes: dict[str, list[str]]) -> None:
    alike: dict[str, str] = {}
    for paths in classes.values():
        for name in dict.fromkeys(path.split("/")[0] for path in paths):
            key = " ".join(same_letters(name).replace("_", " ").casefold().split())  # as models read it
            other = alike.setdefault(key, name)
            if same_letters(other) != same_letters(name):
                both = f"the folders {other} and {name}"
                raise InputError(f"{root}: {both} are the same class; rename or join them")


def _check_classes(root: Path, classes: dict[str, list[str]]) -> None:
    tops = sorted({path.split("/")[0] for paths in classes.values() for path in paths})
    inside = [{"/".join(p.split("/")[1:-1]) for p in paths} for paths in classes.values()]
    shared = set.intersection(*inside) - {""}
    splits = [name for name in tops if _SPLIT.fullmatch(name)]
    common = any(a & b - {""} for a, b in itertools.combinations(inside, 2))
    repeated = len(splits) > 1 and common  # train/ and val/ beside others
    if len(splits) == len(tops) or repeated or (len(shared) > 1 and not any("" in names for names in inside)):
        parts = f"{', '.join(tops[:_SHOWN])}, which look like parts of a dataset with its classes inside"
        say = f"name one of them, such as --root {root / tops[-1]}, or say --nested if they are the classes"
        raise InputError(f"{root} holds {parts}; {say}")


class _Scan:
    """A folder of classes: its images, and what is left out."""

    def __init__(self, root: Path, follow_links: bool) -> None:
        self.root, self.inside = root, None if follow_links else os.path.realpath(root)
        self.left: dict[str, list[str]] = defaultdict(list)
        self.loose = 0
        self.others: Counter[str] = Counter()
        self.endings = {ending for name in formats() for ending in FORMATS[name]}

    def folders(self) -> list[str]:
        """The subfolders that may be classes."""
        found = []
        for entry in os.scandir(self.root):
            if self._leads_out(entry.path):
                self.left[_OUTSIDE].append(shown(entry.name))
            elif entry.is_dir() and _of_tools(entry.name):
                self.left[_HIDDEN].append(shown(entry.name))
            elif entry.is_dir():
                found.append(entry.name)
            else:
                self.loose += not _of_tools(entry.name) and self._is_image(entry.name)
        return found

    def images_under(self, name: str) -> list[str]:
        """Paths of the images of one class, at every depth."""
        found = []
        for here, folders, files in os.walk(self.root / name):
            inner = Path(here).relative_to(self.root)
            links = [each for each in folders if os.path.islink(os.path.join(here, each))]
            for each in folders:
                if _of_tools(each) or each in links:
                    kind = _HIDDEN if _of_tools(each) else "links to folders"
                    self.left[kind].append(shown((inner / each).as_posix()))
            folders[:] = [each for each in folders if not _of_tools(each)]
            for file in files:
                path = (inner / file).as_posix()
                if _of_tools(file):
                    self.left[_HIDDEN] += [shown(path)] if self._is_image(file) else []
                elif self._leads_out(os.path.join(here, file)):
                    self.left[_OUTSIDE].append(shown(path))
                elif self._is_image(file):
                    found.append(path)
                else:
                    self.others[os.path.splitext(file)[1].lower()] += 1
        if not found:
            self.left["subfolders without an image"].append(shown(name))
        return found

    def said(self) -> list[str]:
        """What is left out, a line for each kind."""
        unread, rest = [], []
        for ending, count in sorted(self.others.items()):
            (unread if ending in OTHER_IMAGES else rest).append(f"{count} {ending or 'without an ending'}")
        lines = {
            "images that Pillow cannot read here": ", ".join(unread),
            "files that are not images": ", ".join(rest),
            **{kind: _some(names) for kind, names in sorted(self.left.items())},  # not in the disk's order
            "images in no subfolder": str(self.loose or ""),
        }
        return [f"left out of {self.root.name}, {kind}: {names}" for kind, names in lines.items() if names]

    def _leads_out(self, path: str) -> bool:
        if self.inside is None or not os.path.islink(path):
            return False
        return not Path(os.path.realpath(path)).is_relative_to(self.inside)

    def _is_image(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self.endings


def _of_tools(name: str) -> bool:
    return name.startswith(".") or name.lower() in TOOLS


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more


def csv(
    *,
    root: str | os.PathLike,
    annotations: str | os.PathLike,
    limit: int | None = None,
    encoding: str | None = None,
    quoting: str = "auto",
    image_column: str | None = None,
    caption_column: str | None = None,
    captions: str = "all",
) -> Dataset:
    """Pairs of image and caption from a table with a header line; an image may have several captions.

    Parameters
    ----------
    root : folder the image paths start from
    annotations : path of the table; separated by commas, semicolons, tabs or bars
    limit : take only the first so many images
    encoding, quoting, image_column, caption_column : see `gapkit.datasets.caption_tables.read_captions`
    captions : "all", of which any is right; "first" or "longest" keeps one of each image
    """
    path = Path(annotations)
    check_regular(path)
    columns = {"image_column": image_column, "caption_column": caption_column}
    rows, notes = read_captions(path, encoding=encoding, quoting=quoting, **columns)
    if all(_NUMBERED.search(image) for image, _ in rows):  # as Flickr8k counts captions: a.jpg#0, a.jpg#1, …
        rows = [(_NUMBERED.sub(r"\1", image), text) for image, text in rows]
    described: dict[str, tuple[str, list[str]]] = {}
    for image, text in rows:
        described.setdefault(same_letters(image), (image, []))[1].append(text)
    kept = first_of(list(described.values()), limit)
    fields, said = grouped(path.name, kept, captions)
    if said:
        notes = notes | {"said": [*notes.get("said", []), *said]}
    images = FileImages(root, [image for image, _ in kept])
    return Dataset(name="csv", images=images, **fields, notes={"annotations": path.name, **notes})
