"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from the archives and folders that torchvision uses.

The published files are Python 2 pickles. They are read with an unpickler that knows numpy arrays and
nothing else, straight from the archive: nothing is unpacked, so no archive can write anywhere.
"""

import functools
import hashlib
import io
import os
import pickle
import tarfile
import zlib
from pathlib import Path

import numpy as np

from gapkit._openclip import ensure_torchvision
from gapkit._options import check_choice
from gapkit._paths import cache_folder, download
from gapkit.datasets.captions import CIFAR10_NAMES, REPHRASINGS, fill
from gapkit.datasets.dataset import Dataset, rephrased
from gapkit.datasets.images import ArrayImages
from gapkit.errors import InputError, refusing

_HARMLESS = {"numpy._core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype", "_codecs.encode"}
_LARGEST_FILE = 400_000_000  # CIFAR-100's training set has 155 MB


def cifar(
    name: str,
    *,
    root: str | os.PathLike | None = None,
    split: str = "test",
    template="single",
    download: bool = False,
) -> Dataset:
    """CIFAR-10 or CIFAR-100 as zero-shot classification.

    Parameters
    ----------
    name : "cifar10" or "cifar100"
    root : folder that holds the published archive, or what torchvision unpacked; the cache when left out
    split : "test" (10,000 images) or "train" (50,000)
    template : "single", "ensemble", a text with the gap ``{}``, or several such texts
    download : fetch the archive (160 MB) into ``root`` if it is not there

    Raises
    ------
    InputError
        If the files are missing, the archive is not the published one, or the network is missing.

    Warns
    -----
    GapkitWarning
        If what was unpacked is not the published files, byte for byte.
    """
    check_choice(split, "split", ("train", "test"))
    ensure_torchvision()
    from torchvision.datasets import CIFAR10, CIFAR100  # they know the published files and their md5 sums

    published = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    root = Path(root).expanduser() if root is not None else cache_folder() / "downloads"
    folder, archive = root / published.base_folder, root / published.filename
    if download and not (archive.is_file() or (folder / published.test_list[0][0]).is_file()):
        _fetch(archive, published)
    batches = dict(published.train_list if split == "train" else published.test_list)
    meta = {} if name == "cifar10" else {published.meta["filename"]: published.meta["md5"]}
    contents = _contents(folder, archive, published.tgz_md5, [*batches, *meta])
    pixels, labels, names = [], [], []
    for file in batches:
        part = _unpickled(contents[file], folder / file)
        data, targets = part.get("data"), part.get("labels" if name == "cifar10" else "fine_labels")
        if (
            not isinstance(targets, list)
            or not all(isinstance(target, int) for target in targets)
            or not isinstance(data, np.ndarray)
            or (data.dtype, data.shape) != (np.uint8, (len(targets), 3072))
        ):
            raise InputError(f"{folder / file} is not CIFAR: its images or labels have another form")
        pixels.append(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels += targets
        called = part.get("filenames")
        named = isinstance(called, list) and len(called) == len(data)
        names += map(str, called if named else (f"{folder.name}/{file}/{i}" for i in range(len(data))))
    class_names = CIFAR10_NAMES
    for file in meta:
        listed = _unpickled(contents[file], folder / file).get(published.meta["key"])
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            raise InputError(f"{folder / file} is not CIFAR: it has no class names")
        class_names = tuple(word.replace("_", " ") for word in listed)
    notes = {"split": split, "template": template if isinstance(template, str) else list(template)}
    unpacked = {file: md5 for file, md5 in (batches | meta).items() if (folder / file).is_file()}
    if changed := ", ".join(f"{folder.name}/{f}" for f, md5 in unpacked.items() if _md5(contents[f]) != md5):
        notes["said"] = [f"{changed} in {root.name}: not the published bytes; changed on purpose, or damaged"]
    images = ArrayImages(np.ascontiguousarray(np.concatenate(pixels)), names)
    facts = {"labels": np.array(labels, dtype=np.int64), "text_names": class_names, "notes": notes}
    return Dataset(name, images, fill(template, class_names), "zero-shot", **facts)


def cifar_rephrased(
    name: str, *, root: str | os.PathLike | None = None, split: str = "test", download: bool = False
) -> Dataset:
    """CIFAR with its classes in several wordings, for the rephrasing experiment.

    The gallery of CIFAR-100 has the classes in the first of `REPHRASINGS` (the familiar one) as rows 0–99, in the second
    as rows 100–199, and so on; ``notes["templates"]`` lists them in the order of the blocks. Labels point into the
    first block.

    Parameters
    ----------
    name, root, split, download : see `cifar`
    """
    plain = cifar(name, root=root, split=split, download=download)
    blocks = [fill(template, plain.text_names) for template in REPHRASINGS]
    notes = {key: plain.notes[key] for key in ("split", "said") if key in plain.notes}
    return rephrased(plain, blocks, REPHRASINGS, notes=notes)


cifar10, cifar100 = functools.partial(cifar, "cifar10"), functools.partial(cifar, "cifar100")
cifar10_rephrased = functools.partial(cifar_rephrased, "cifar10")
cifar100_rephrased = functools.partial(cifar_rephrased, "cifar100")


def _contents(folder: Path, archive: Path, md5: str, files: list[str]) -> dict[str, bytes]:
    """The bytes of published files, from their folder, else from the archive, which must be the published one."""
    contents: dict[str, bytes] = {}
    kinds = OSError, EOFError, tarfile.TarError, zlib.error
    with refusing(*kinds, before=f"cannot read {archive.name} or its files in {folder.parent}: "):
        for file in (file for file in files if (folder / file).is_file()):
            if (folder / file).stat().st_size > _LARGEST_FILE:
                raise InputError(f"{folder / file} is too large to be a file of CIFAR")
            contents[file] = (folder / file).read_bytes()
        missing = {f"{folder.name}/{file}": file for file in files if file not in contents}
        if missing and not archive.is_file():
            name = "cifar100" if "100" in archive.name else "cifar10"
            say = "Name its folder with root (--root), or let it be downloaded (--download)"
            neither = f"neither {next(iter(missing))} nor {archive.name}"
            raise InputError(f"no {name} in {folder.parent}: {neither}. {say}")
        if missing and (found := _md5(archive.read_bytes())) != md5:
            why = f"its md5 is {found}, not {md5}. Remove it and get it again (--download)"
            raise InputError(f"{archive} is damaged or not the published archive: {why}")
        if missing:
            with tarfile.open(archive, "r:gz") as tar:
                for member in tar:
                    if member.name in missing:
                        contents[missing[member.name]] = tar.extractfile(member).read()
    return contents


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class _OnlyArrays(pickle.Unpickler):
    """An unpickler for dicts, lists, texts, numbers and numpy arrays; everything else is refused."""

    def find_class(self, module: str, name: str):
        module = module.replace("numpy.core", "numpy._core")  # as it was called when the files were written
        if f"{module}.{name}" not in _HARMLESS:
            raise pickle.UnpicklingError(f"it wants {module}.{name}")
        return super().find_class(module, name)


def _unpickled(content: bytes, path: Path) -> dict:
    before = f"{path} is damaged, or no file of CIFAR: "
    with refusing(Exception, InputError, before=before):  # pickles raise anything
        try:
            value = _OnlyArrays(io.BytesIO(content), encoding="latin1").load()
        except MemoryError as fault:  # a damaged one may ask for any amount, and a busy machine not have it
            raise InputError("it asks for more memory than is free") from fault
        return {key.decode("latin1") if isinstance(key, bytes) else key: part for key, part in value.items()}


def _fetch(archive: Path, published) -> None:
    folder = os.environ.get("GAPKIT_CIFAR_URL", published.url.rsplit("/", 1)[0])
    say = f"Fetch it elsewhere, put it into {archive.parent}, and run the same again"
    with refusing(InputError, before=f"cannot download {archive.name} from {folder}: ", after=f". {say}"):
        download(f"{folder}/{archive.name}", archive, published.tgz_md5)
