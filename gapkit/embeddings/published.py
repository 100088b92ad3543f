"""Embeddings of real models that others have published: a register as data, and the way into the cache.

None is shipped. Each is known by the sha256 of its file, and nothing else is ever taken for it.
"""

import functools
import os
import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapkit._files import as_path, sha256_of, write_atomically
from gapkit._options import check_choice
from gapkit._paths import cache_folder, download, shipped_file
from gapkit.embeddings.convert import import_embeddings
from gapkit.embeddings.sets import EmbeddingSet
from gapkit.embeddings.tables import read_matrix
from gapkit.errors import InputError, refusing

LAYOUTS = ("stacked", "table", "gram")


@dataclass(frozen=True)
class Published:
    """One published set, as the register says it.

    Attributes
    ----------
    name : as `gapkit.load_embeddings` takes it
    model, dataset, about : what it is
    label : the model's name in tables and pictures
    address : of the file, at a commit
    repository, commit, licence : where it comes from
    cite, model_cite : whom to cite, for the embeddings and for the model
    file, sha256, bytes : the file as published
    layout : "stacked" (2, n, d) with the images first, "table" for what `gapkit import` reads, or "gram"
    dimension : of the embeddings, in which the noise lives
    images : how many rows of a Gram matrix are images
    control : whether it is a model without training
    options : of `import_embeddings`, for the layout "table"
    gap_distance : ‖g‖ as its authors give it, if they do
    """

    name: str
    model: str
    label: str
    dataset: str
    about: str
    address: str
    repository: str
    commit: str
    licence: str
    cite: str
    file: str
    sha256: str
    bytes: int
    layout: str
    dimension: int
    model_cite: str = ""
    images: int | None = None
    control: bool = False
    options: dict = field(default_factory=dict)
    gap_distance: float | None = None

    @property
    def path(self) -> Path:
        """Where the file lies in the cache, or would."""
        return cache_folder() / "downloads" / f"{self.name}{Path(self.file).suffix}"

    @property
    def cached(self) -> bool:
        """Whether a file lies in the cache; its bytes are checked when it is read."""
        return self.path.is_file()

    def file_in_cache(self) -> Path:
        """`path`; raises where no file lies there."""
        if not self.cached:
            say = f"download its {self.bytes / 1e6:.1f} MB with: gapkit fetch {self.name}"
            raise InputError(f"{self.name} is not in the cache ({self.path.parent}); {say}")
        return self.path

    def load(self, path: Path | None = None) -> EmbeddingSet:
        """The set from the cache, or from a copy elsewhere, rows normalised in float64.

        Raises
        ------
        InputError
            If the file is not there, or not the published one.
        """
        path = path or self.file_in_cache()
        if (digest := sha256_of(path)) != self.sha256:
            what = f"{path} is damaged: its sha256 is {digest}, published is {self.sha256}"
            raise InputError(f"{what}. Delete it and run: gapkit fetch {self.name}")
        known = {name: getattr(self, name) for name in ("model", "dataset", "commit", "sha256")}
        known |= {"source": f"{self.repository} ({self.licence})"}
        known |= {"cite": [line for line in (self.cite, self.model_cite) if line]}
        if self.layout == "gram":
            gram = read_matrix(path)
            return EmbeddingSet.from_gram(gram, images=self.images, dimension=self.dimension, metadata=known)
        if self.layout == "table":
            return import_embeddings(path, normalise="yes", metadata=known, **self.options)
        images, texts = np.load(path, allow_pickle=False).astype(np.float64)
        # Published lengths of 1 ± 3e-4 alone change 0.8 % of COCO-500's Euclidean neighbours.
        return EmbeddingSet(images=images, texts=texts, task="pairs", metadata=known).normalise()


@functools.cache
def published_sets() -> dict[str, Published]:
    """Every published set that is known, by name.

    Examples
    --------
    >>> published_sets()["coco500-clip-vitb16"].licence
    'MIT'
    """
    return read_register(Path(__file__).with_name("published.toml").read_text(encoding="utf-8"))


def recorded_figures() -> "pandas.DataFrame":  # noqa: F821
    """What was measured on the published sets, as it ships: recorded figures, for whoever has not downloaded them.

    A row a set and level of noise, on galleries of ten, with 95 % intervals in ``…_low`` and ``…_high``; made by
    ``make results``, which is ``gapkit replicate --published``.

    Examples
    --------
    >>> recorded_figures().query("name == 'coco500-clip-vitb16'")["gap_norm"].round(2).iloc[0]
    np.float64(0.85)
    """
    import pandas

    return pandas.read_csv(shipped_file("recorded/real_models.csv"), comment="#")


def read_register(text: str) -> dict[str, Published]:
    """The sets of a register, which is TOML: ``[sources.NAME]`` and a ``[[sets]]`` for each file.

    Raises
    ------
    InputError
        If an entry lacks something, or two have one name.
    """
    content = tomllib.loads(text)
    register: dict[str, Published] = {}
    for given in content["sets"]:
        entry = dict(given)
        source = dict(content["sources"][entry.pop("source")])
        source["address"] += entry["file"]
        with refusing(TypeError, before=f"published set {entry.get('name')!r}: "):
            item = Published(**source, **entry)
        check_choice(item.layout, f"layout of {item.name}", LAYOUTS)
        if item.name in register:
            raise InputError(f"two published sets are called {item.name!r}")
        if item.layout == "gram" and item.images is None:
            raise InputError(f"published set {item.name!r} is a Gram matrix and lacks images")
        register[item.name] = item
    return register


def fetch_embeddings(name: str = "coco500-clip-vitb16", *, source: str | os.PathLike | None = None) -> Path:
    """Put one published set into the cache: download it, or find it among local files.

    Parameters
    ----------
    name : one of `published_sets`
    source : a file, or a folder somewhere under which the file lies, whatever it is called; instead of a download

    Returns
    -------
    Path of the cached file, whose sha256 has been checked.

    Raises
    ------
    InputError
        If there is no network, the download breaks off, or the bytes are not the published ones. Nothing is left then.
    """
    entry = published_sets()[check_choice(name, "name", published_sets())]
    if entry.cached and sha256_of(entry.path) == entry.sha256:
        return entry.path
    if source is not None:
        found = find_published(source, [entry])
        if name not in found:
            raise InputError(_not_found(Path(source), entry))
        return found[name]
    return _download(entry)


def find_published(source: str | os.PathLike, wanted: Iterable[Published] | None = None) -> dict[str, Path]:
    """Copy what is found of the wanted sets under a folder (or is a file) into the cache, known by its bytes alone.

    Parameters
    ----------
    source : a file or a folder
    wanted : entries of `published_sets`; all when left out

    Returns
    -------
    name -> path in the cache, of those that were found
    """
    source = as_path(source, "source")
    if not source.exists():
        raise InputError(f"no file or folder {source}")
    wanted = list(published_sets().values() if wanted is None else wanted)
    sizes = {entry.bytes for entry in wanted}
    by_hash = {entry.sha256: entry for entry in wanted}
    found = {}
    for path in _files_under(source):
        if path.stat().st_size not in sizes:
            continue  # hashing every file of a home folder would take long
        entry = by_hash.get(sha256_of(path))
        if entry is not None and entry.name not in found:
            found[entry.name] = write_atomically(entry.path, functools.partial(shutil.copyfile, path))
    return found


def _files_under(source: Path) -> list[Path]:
    return [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())


def differing(source: str | os.PathLike, missing: Iterable[Published]) -> dict[str, str]:
    """Why sets are missing under a folder although something there looks like them: name -> reason, with both hashes.

    A file looks like a published one if it has its name, or its size and bytes that are no other set's.
    """
    missing = {entry.name: entry for entry in missing}
    known = {entry.sha256 for entry in published_sets().values()}
    sizes = {entry.bytes for entry in missing.values()}
    names = {name: entry for entry in missing.values() for name in (entry.file, entry.path.name)}
    reasons: dict[str, str] = {}
    for path in _files_under(Path(source)):
        size = path.stat().st_size
        if (path.name not in names and size not in sizes) or (digest := sha256_of(path)) in known:
            continue
        alike = [names[path.name]] if path.name in names else []
        alike += [entry for entry in missing.values() if entry.bytes == size and entry.name not in reasons]
        for entry in alike[:1]:
            reasons.setdefault(entry.name, _is_another(path, entry, digest))
    return reasons


def _is_another(path: Path, entry: Published, digest: str) -> str:
    known = f"its sha256 is {digest}, published is {entry.sha256}"
    return f"{path} is not the published file of {entry.name}: {known}"


def _not_found(source: Path, entry: Published) -> str:
    if source.is_file():
        return _is_another(source, entry, sha256_of(source))
    wanted = f"one of {entry.bytes} bytes with sha256 {entry.sha256}, published as {entry.file}"
    nothing = f"no file under {source} is {entry.name}: looked for {wanted}"
    return differing(source, [entry]).get(entry.name, nothing)


def _download(entry: Published) -> Path:
    folder = os.environ.get("GAPKIT_PUBLISHED_URL")
    address = f"{folder.rstrip('/')}/{entry.file}" if folder else entry.address
    say = f"Without a network, fetch {entry.file} elsewhere and run: gapkit fetch {entry.name} --from FILE"
    with refusing(InputError, before=f"cannot download {entry.name} from {address}: ", after=f". {say}"):
        return download(address, entry.path, entry.sha256)
