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

from gapkit._files import file_state, short_reason
from gapkit._options import check_choice
from gapkit._paths import cache_folder
from gapkit.datasets.captions import CIFAR10_NAMES, REPHRASINGS, fill
from gapkit.datasets.dataset import Dataset
from gapkit.datasets.images import ArrayImages
from gapkit.errors import InputError

_HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
_LARGEST_FILE = 400_000_000  # CIFAR-100's training set has 155 MB

_FILES = {
    ("cifar10", "train"): [f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)],
    ("cifar10", "test"): ["cifar-10-batches-py/test_batch"],
    ("cifar100", "train"): ["cifar-100-python/train"],
    ("cifar100", "test"): ["cifar-100-python/test"],
}
_MD5 = {
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
    "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
    "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
    "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
    "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
    "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
}
"""Published with the data."""
_META = {"cifar10": None, "cifar100": "cifar-100-python/meta"}


def cifar10(
    *, root: str | os.PathLike | None = None, split: str = "test", template="single", download: bool = False
) -> Dataset:
    """CIFAR-10 as zero-shot classification; see `cifar100` for the parameters."""
    return _cifar("cifar10", root, split, template, download)


def cifar100(
    *, root: str | os.PathLike | None = None, split: str = "test", template="single", download: bool = False
) -> Dataset:
    """CIFAR-100 as zero-shot classification.

    Parameters
    ----------
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
    return _cifar("cifar100", root, split, template, download)


def cifar10_rephrased(
    *, root: str | os.PathLike | None = None, split: str = "test", download: bool = False
) -> Dataset:
    """CIFAR-10 with one block of ten texts for each of `REPHRASINGS`; see `cifar100_rephrased`."""
    return _rephrased("cifar10", root, split, download)


def cifar100_rephrased(
    *, root: str | os.PathLike | None = None, split: str = "test", download: bool = False
) -> Dataset:
    """CIFAR-100 with its classes in several wordings, for the rephrasing experiment.

    The gallery has the classes in the first of `REPHRASINGS` (the familiar one) as rows 0–99, in the second as rows
    100–199, and so on; ``notes["templates"]`` lists them in the order of the blocks. Labels point into the
    first block.

    Parameters
    ----------
    root, split, download : see `cifar100`
    """
    return _rephrased("cifar100", root, split, download)


def _rephrased(name: str, root, split: str, download: bool) -> Dataset:
    plain = _cifar(name, root, split, "single", download)
    return Dataset(
        name=f"{name}-rephrased",
        images=plain.images,
        prompts=[prompt for template in REPHRASINGS for prompt in fill(template, plain.text_names)],
        task="zero-shot",
        labels=plain.labels,
        notes={
            "split": split,
            **({"said": plain.notes["said"]} if "said" in plain.notes else {}),
            "templates": [
                {"template": template, "held_out": i > 0, "synonyms": False}
                for i, template in enumerate(REPHRASINGS)
            ],
        },
    )


def _cifar(name: str, root, split: str, template, download: bool) -> Dataset:
    check_choice(split, "split", ("train", "test"))
    root = Path(root).expanduser() if root is not None else cache_folder() / "downloads"
    if download and not _is_there(root, name):
        _fetch(root, name)
    parts = [_read(root, name, file) for file in _FILES[name, split]]
    said = _changed(root, [*_FILES[name, split], *([_META[name]] if _META[name] else [])])
    pixels, labels, names = [], [], []
    for file, part in zip(_FILES[name, split], parts, strict=True):
        data, targets = part.get("data"), part.get("labels" if name == "cifar10" else "fine_labels")
        files = part.get("filenames")
        if (
            not isinstance(data, np.ndarray)
            or data.dtype != np.uint8
            or data.ndim != 2
            or data.shape[1] != 3072
            or not isinstance(targets, list)
            or not all(isinstance(target, int) for target in targets)
            or len(targets) != len(data)
        ):
            raise InputError(f"{root / file} is not CIFAR: its images or labels have another form")
        pixels.append(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels += targets
        named = isinstance(files, list) and len(files) == len(data)
        names += map(str, files) if named else [f"{file}/{i}" for i in range(len(data))]
    class_names = CIFAR10_NAMES if name == "cifar10" else _fine_names(root)
    return Dataset(
        name=name,
        images=ArrayImages(np.ascontiguousarray(np.concatenate(pixels)), names),
        prompts=fill(template, class_names),
        text_names=class_names,
        task="zero-shot",
        labels=np.array(labels, dtype=np.int64),
        notes={
            "split": split,
            "template": template if isinstance(template, str) else list(template),
            **({"said": said} if said else {}),
        },
    )


def _changed(root: Path, files: list[str]) -> list[str]:
    """A line about unpacked files that are not the published ones."""
    there = [file for file in files if (root / file).is_file()]
    changed = [file for file in there if _md5(root / file) != _MD5[file]]
    if not changed:
        return []
    return [f"{', '.join(changed)} in {root.name}: not the published bytes; changed on purpose, or damaged"]


def _fine_names(root: Path) -> tuple[str, ...]:
    names = _read(root, "cifar100", _META["cifar100"]).get("fine_label_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{root / _META['cifar100']} is not CIFAR: it has no class names")
    return tuple(name.replace("_", " ") for name in names)


def _archive(name: str) -> str:
    return {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}[name]


def _is_there(root: Path, name: str) -> bool:
    return (root / _archive(name)).is_file() or (root / _FILES[name, "test"][0]).is_file()


def _read(root: Path, name: str, file: str) -> dict:
    """One of the published files as a dict, from the folder or else from the archive."""
    path, archive = root / file, root / _archive(name)
    try:
        if path.is_file():
            if path.stat().st_size > _LARGEST_FILE:
                raise InputError(f"{path} is too large to be a file of CIFAR")
            content = path.read_bytes()
        elif archive.is_file():
            content = _from_archive(archive, file)
        else:
            raise InputError(
                f"no {name} in {root}: neither {file} nor {archive.name}. Name its folder with root "
                "(--root), or let it be downloaded (--download)"
            )
    except (OSError, EOFError, tarfile.TarError, zlib.error) as fault:
        raise InputError(f"cannot read {name} in {root}: {short_reason(fault, 120)}") from fault
    return _unpickle(content, path)


def _md5(path: Path) -> str:
    return _md5_in_state(path, file_state(path))


@functools.lru_cache(maxsize=32)
def _md5_in_state(path: Path, state: tuple[int, ...]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _from_archive(archive: Path, file: str) -> bytes:
    if _md5(archive) != _MD5[archive.name]:
        raise InputError(
            f"{archive} is damaged or not the published archive: its md5 is {_md5(archive)}, not {_MD5[archive.name]}. "
            "Remove it and get it again (--download)"
        )
    with tarfile.open(archive, "r:gz") as tar:
        for number, member in enumerate(tar):
            if member.size > _LARGEST_FILE or number > 100:  # skipping it would mean to decompress it
                raise InputError(f"{archive} is not a CIFAR archive: {member.name[:80]!r} does not belong")
            if member.name != file:
                continue
            if not member.isreg():
                raise InputError(f"{archive}: {file} is not a file")
            return tar.extractfile(member).read(_LARGEST_FILE)
    raise InputError(f"{archive} has no {file}")


class _OnlyArrays(pickle.Unpickler):
    """An unpickler for dicts, lists, texts, numbers and numpy arrays; everything else is refused."""

    def find_class(self, module: str, name: str):
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it wants {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(content: bytes, path: Path) -> dict:
    try:
        value = _OnlyArrays(io.BytesIO(content), encoding="latin1").load()
    except Exception as fault:  # a damaged pickle raises anything
        raise InputError(f"{path} is damaged, or no file of CIFAR: {short_reason(fault, 120)}") from fault
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a CIFAR file")
    return {key.decode("latin1") if isinstance(key, bytes) else key: item for key, item in value.items()}


def _fetch(root: Path, name: str) -> None:
    import pooch

    from gapkit._openclip import ensure_torchvision

    ensure_torchvision()
    from torchvision.datasets import CIFAR10, CIFAR100

    published = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    address = os.environ.get("GAPKIT_CIFAR_URL", published.url.rsplit("/", 1)[0]) + "/" + _archive(name)
    try:
        pooch.retrieve(
            address,
            f"md5:{_MD5[_archive(name)]}",
            fname=_archive(name),
            path=root,
            downloader=pooch.HTTPDownloader(timeout=30, progressbar=False),
        )
    except Exception as fault:
        raise InputError(
            f"cannot download {name} from {address} ({type(fault).__name__}). Fetch it elsewhere, "
            f"put {_archive(name)} into {root}, and run the same again"
        ) from fault
