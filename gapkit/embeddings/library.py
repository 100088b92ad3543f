"""Embeddings by name: those shipped with the repository, and the real CLIP embeddings of COCO-500."""

import os
import shutil
from pathlib import Path

import numpy as np

from gapkit._arrays import check_choice
from gapkit._files import sha256_of, write_atomically
from gapkit._paths import cache_folder, data_folder, read_manifest, shipped_file
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.errors import InputError, did_you_mean

_COMMIT = "8e20cb24efa4c5f89aad694f2f65eb43ffc46d10"
_ADDRESS = f"https://raw.githubusercontent.com/Weixin-Liang/Modality-Gap/{_COMMIT}/Figure_1_Modality_Gap/"
_SOURCE = "github.com/Weixin-Liang/Modality-Gap (MIT), Figure_1_Modality_Gap"

COCO500_NAMES = ("coco500-clip-vitb16", "coco500-clip-vitb16-random")
"""OpenAI's CLIP ViT-B/16 on the first 500 COCO val2017 pairs (Liang et al. 2022), and a random control."""

_COCO500 = {
    "coco500-clip-vitb16": (
        "features_clip.npy",
        "7227280ace0f145d2c45afa8ab507a1cb280e9460aa271fe9052d08e35342adb",
        "ViT-B-16-quickgelu/openai",
    ),
    "coco500-clip-vitb16-random": (
        "features_clip_random.npy",
        "c6a5f9ca3fba36d635fd47d20b3cdd5b9ac78dc462070240fdc2ee2786110403",
        "ViT-B-16, randomly initialised",
    ),
}


def load_embeddings(name: str | os.PathLike, *, memory_map: bool = False) -> EmbeddingSet:
    """Embeddings by name or from a file.

    Parameters
    ----------
    name : str or path
        A shipped set such as ``"miniclip-wide/scenes100"`` (``"miniclip-wide@1/scenes100"`` is another
        seed), ``"coco500-clip-vitb16"`` once ``gapkit fetch`` has downloaded it, or the path of a file
        that gapkit wrote. `list_embeddings` lists the names.
    memory_map : keep large matrices on the disk until they are used (see `EmbeddingSet.load`)

    Raises
    ------
    InputError
        If the name is unknown (with the nearest ones) or the file is missing or damaged.
    """
    text = os.fspath(name)
    if text in _COCO500:
        return _load_coco500(text)
    if Path(text).is_file():
        return EmbeddingSet.load(text, memory_map=memory_map)
    if text.endswith((".safetensors", ".npy", ".npz", ".csv", ".parquet")):
        raise InputError(f"no file {text}")
    known = list_embeddings()
    if text not in known and text.startswith("miniclip-"):
        data_folder()  # says so if there is none: then no shipped name is known
    if text not in known or text in _COCO500:
        hint = did_you_mean(text, [*known, *COCO500_NAMES], most=3) or f"; known are {', '.join(known[:8])} …"
        raise InputError(f"no embeddings {text!r}, neither a file nor a known name{hint}")
    return EmbeddingSet.load(shipped_file(f"embeddings/{text}.safetensors"), memory_map=memory_map)


def list_embeddings() -> list[str]:
    """The names `load_embeddings` knows: shipped sets, then downloaded ones.

    A shipped set whose file is missing is listed, so that asking for it says what is missing.
    """
    try:
        folder = data_folder()
    except InputError:
        shipped = []
    else:
        listed = {path.removeprefix("data/") for path in read_manifest(folder)}
        listed |= {path.relative_to(folder).as_posix() for path in folder.glob("embeddings/*/*.safetensors")}
        shipped = sorted(
            name.removeprefix("embeddings/").removesuffix(".safetensors")
            for name in listed
            if name.startswith("embeddings/")
        )
    return shipped + [name for name in COCO500_NAMES if _coco500_path(name).is_file()]


def fetch_coco500(name: str = COCO500_NAMES[0], *, source: str | os.PathLike | None = None) -> Path:
    """Put the COCO-500 embeddings into the cache: download them, or copy a local file.

    Parameters
    ----------
    name : one of `COCO500_NAMES`
    source : path of a local copy of the file, instead of a download

    Returns
    -------
    Path of the cached file, whose sha256 has been checked.

    Raises
    ------
    InputError
        If there is no network, the download breaks off, or the bytes are not the published ones.
    """
    file_name, sha256, _ = _COCO500[check_choice(name, "name", COCO500_NAMES)]
    target = _coco500_path(name)
    if target.is_file() and sha256_of(target) == sha256:
        return target
    if source is not None:
        return _copy_checked(Path(source), target, sha256)
    import pooch

    address = os.environ.get("GAPKIT_COCO500_URL", _ADDRESS) + file_name
    downloader = pooch.HTTPDownloader(timeout=30)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            address, f"sha256:{sha256}", fname=target.name, path=target.parent, downloader=downloader
        )
    except Exception as fault:  # requests, urllib3 and pooch raise a dozen unrelated kinds
        reason = "the bytes are not the published ones" if "hash" in str(fault).lower() else _reason(fault)
        raise InputError(
            f"cannot download {name} from {address}: {reason}. Without a network, fetch {file_name} elsewhere "
            f"and run: gapkit fetch {name} --from FILE"
        ) from fault
    return target


def _reason(fault: Exception) -> str:
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    kind = type(fault).__name__
    return {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no answer",
        "ReadTimeout": "no answer",
    }.get(kind, f"{kind}: {str(fault)[:120]}")


def _copy_checked(source: Path, target: Path, sha256: str) -> Path:
    if not source.is_file():
        raise InputError(f"no file {source}")
    if sha256_of(source) != sha256:
        raise InputError(f"{source} is not the published file: its sha256 is not {sha256[:12]}…")
    return write_atomically(target, lambda beside: shutil.copyfile(source, beside))


def _coco500_path(name: str) -> Path:
    return cache_folder() / "downloads" / f"{name}.npy"


def _load_coco500(name: str) -> EmbeddingSet:
    path = _coco500_path(name)
    _, sha256, model = _COCO500[name]
    if not path.is_file():
        raise InputError(
            f"{name} is not in the cache ({path.parent}); download its 2 MB with: gapkit fetch {name}"
        )
    if sha256_of(path) != sha256:
        raise InputError(
            f"{path} is damaged: its sha256 is not the published one. Delete it and run: gapkit fetch {name}"
        )
    images, texts = np.load(path, allow_pickle=False).astype(np.float64)
    metadata = {"model": model, "dataset": "coco500", "source": _SOURCE, "commit": _COMMIT, "sha256": sha256}
    # As published, lengths are 1 ± 3e-4, which alone changes 0.8 % of Euclidean neighbours.
    return EmbeddingSet(images=images, texts=texts, task="pairs", metadata=metadata).normalise()
