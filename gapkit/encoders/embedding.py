"""`embed`: a model's embeddings of a dataset, resumable and never computed twice.

The finished file lies in the cache under a key of everything its numbers depend on: the weights (not
their name), the architecture and preprocessing, the dataset's fingerprint (images, texts, answers), the precision, and
the version of our format. Until then the run's shards lie in a folder of their own, held by one process.

What is embedded is what was fingerprinted: the bytes of every image that is decoded are compared with their hash before
its shard is written. Shards and finished files carry a hash of their own, which is checked whenever they are opened.
"""

import functools
import hashlib
import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gapkit import engine
from gapkit._files import check_target, locked, write_atomically
from gapkit._openclip import open_clip
from gapkit._options import check_choice, check_whole
from gapkit._paths import cache_folder
from gapkit.datasets import Dataset, load_dataset
from gapkit.embeddings import EmbeddingSet
from gapkit.embeddings.files import FORMAT_VERSION, check_hash, check_name, has_hash
from gapkit.encoders import batches
from gapkit.encoders.loading import load_model
from gapkit.encoders.model import Model, check_texts, cut_texts
from gapkit.encoders.shards import ShardFolder, assemble, listed, remove_leftovers, remove_stale
from gapkit.errors import GapkitWarning, InputError, refusing

_SHARD_BATCHES = 16
_MOST_THREADS = 257  # on which an unfinished run is looked for


def embed(model: Model | str, dataset: Dataset | str, **options: Any) -> EmbeddingSet:
    """Embed a dataset's images and texts, or take the embeddings from the cache.

    Interrupted at any moment, even by ``kill -9``, the same call resumes and ends with the
    same bytes.

    Parameters
    ----------
    model : Model, or a name for `load_model`
    dataset : Dataset, or a name for `load_dataset`
    **options : see `embed_to_file`

    Returns
    -------
    EmbeddingSet, mapped from the cache: large matrices stay on the disk until they are used
    """
    return EmbeddingSet.load(embed_to_file(model, dataset, **options), memory_map=True)


def embed_to_file(
    model: Model | str,
    dataset: Dataset | str,
    *,
    out: str | Path | None = None,
    dtype: str = "float32",
    batch_size: int = 64,
    workers: int = 0,
    precision: str = "auto",
    on_error: str = "raise",
    on_long_text: str = "truncate",
    progress: bool = False,
    cluster: Any = None,
    device: str = "auto",
) -> Path:
    """Embed a dataset into a file; `embed` for data that need not fit into memory.

    Parameters
    ----------
    model, dataset : see `embed`
    out : where to write besides the cache
    dtype : "float32" or "float16", how ``out`` stores the matrices
    batch_size : images, or texts, in a batch
    workers : processes that read and preprocess images; 0 does it in this one
    precision : "float32", "bfloat16", "float16", or "auto": float16 (autocast) on CUDA, float32 elsewhere
    on_error : "raise" or "skip": what to do about images that cannot be read. "raise" lists all of them at
        the end, and the same call with "skip" then has nothing left to compute
    on_long_text : "truncate" or "raise": what to do about texts with more tokens than the model reads. Either way they are
        counted; ``metadata["long_texts"]`` keeps the count
    progress : show a bar with rate and time left on stderr
    cluster : of Dask, see `gapkit.engine.run`: its workers load the model by its name and compute the shards. What one
        has begun, here or there, the other goes on with
    device : of the cluster's workers; "auto" is "cuda" if all of them have it

    Returns
    -------
    Path of ``out``, or of the file in the cache

    Raises
    ------
    InputError
        If a text is too long (and ``on_long_text`` is "raise"), or an image cannot be read (and ``on_error`` is "raise"), or none can, or one changes meanwhile, or a text is
        no Unicode.

    Warns
    -----
    GapkitWarning
        If texts were cut. If images were skipped; ``metadata["skipped"]`` lists them with the reasons. If the cache holds a file without a
        hash, from before there were any: it is embedded anew.
    """
    if out is not None:
        check_target(out := Path(out))
        check_name(out)
    model = load_model(model) if isinstance(model, str) else model
    dataset = load_dataset(dataset) if isinstance(dataset, str) else dataset
    batch_size = check_whole(batch_size, "batch_size")
    workers = check_whole(workers, "workers", least=0)
    check_choice(on_error, "on_error", ("raise", "skip"))
    check_choice(on_long_text, "on_long_text", ("truncate", "raise"))
    check_choice(dtype, "dtype", ("float32", "float16"))
    check_choice(precision, "precision", ("auto", *batches.PRECISIONS))
    prompts = [text for row in dataset.prompts for text in row]
    with refusing(InputError, before=f"dataset {dataset.name}: "):
        for texts in (prompts, dataset.text_names, dataset.images.names, dataset.groups or ()):
            check_texts(texts)
    long_texts = _long_texts(model, dataset.name, prompts, on_long_text)
    about = {"model": model.name, "weights_file": model.weights_file, "long_texts": long_texts}
    fingerprint, hashes = dataset.hashes()
    runs, folder = cache_folder() / "runs", cache_folder() / "embeddings"
    with engine.connect(cluster) as client:
        place = model.device.type if client is None else batches.device_of_workers(client, device)
        if precision == "auto":
            precision = "float16" if place.startswith("cuda") else "float32"
        facts = _facts(model, dataset, fingerprint, precision) | (exchanged := _exchanged(model, prompts))
        if "pixels" in exchanged and client is not None:
            raise InputError(f"workers load {model.name} anew, without its own preprocessing; embed it here")
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        run, threads = _run_folder(runs, key, batch_size, place, one_thread=client is not None)
        again = model.preprocess if client is None else None  # workers may lack what this machine has
        target = _finished(folder, key, again, dataset)
        if target is None or any(runs.glob(f"{key}-*")):  # the latter: killed while tidying up
            with locked(runs / f"{key}.lock", waiting="another process embeds the same; waiting for it"):
                target = _finished(folder, key, again, dataset, warn=True)
                if target is None:
                    target = folder / f"{_slug(dataset.name)}--{_slug(model.name)}--{key}.safetensors"
                    remove_leftovers(run)
                    remove_leftovers(target.parent, target.name)
                    how = batches.Precisely(batch_size, precision, threads, place)
                    options = (workers, on_error, progress, client)
                    shards = _compute(model, dataset, prompts, hashes, run, how, *options)
                    if hashes is None and dataset.fingerprint() != fingerprint:
                        shutil.rmtree(run, ignore_errors=True)  # nobody knows which of its rows are right
                        raise InputError(f"images of {dataset.name} changed meanwhile; run the same again")
                    _refuse_faults(shards[0].faults(), on_error)
                    assemble(dataset, *shards, target, facts | about)
                    for other in folder.glob(f"*--{key}.safetensors"):
                        if other != target:  # damaged, or without a hash
                            other.unlink(missing_ok=True)
                for finished in runs.glob(f"{key}-*"):
                    shutil.rmtree(finished, ignore_errors=True)
            remove_stale(runs)
    if on_error == "raise":
        skipped = EmbeddingSet.load(target, memory_map=True).metadata.get("skipped", [])
        _refuse_faults(dict(enumerate(why for _, why in skipped)), on_error)
    return target if out is None else _copy_out(target, out, dtype)


def _finished(
    folder: Path, key: str, preprocess: Any, dataset: Dataset, *, warn: bool = False
) -> Path | None:
    """The file under ``key``, whatever the model was called; damaged ones do not count, nor those without a hash, nor,
    where ``preprocess`` is given, those without an image that can be read by now.
    """
    for path in sorted(folder.glob(f"*--{key}.safetensors")):
        try:
            skipped = EmbeddingSet.load(path, memory_map=True).metadata.get("skipped", [])
            hashed = has_hash(path)
        except InputError:
            continue
        if hashed and not (preprocess and skipped and _readable(preprocess, dataset, skipped)):
            return path
        if warn and not hashed:
            message = f"{path} is from before cached files carried a hash; embedding it anew"
            warnings.warn(message, GapkitWarning, stacklevel=3)
    return None


def _readable(preprocess: Any, dataset: Dataset, skipped: list) -> bool:
    """Whether one more of the images that were left out can be read: memory is free, a decoder is installed."""
    names = {name for name, _ in skipped}
    rows = [range(row, row + 1) for row, name in enumerate(dataset.images.names) if name in names]
    read = sum(b.pixels is not None for b in batches.read_batches(dataset.images, preprocess, rows))
    return read > len(rows) - len(skipped)  # several may have one name


def _refuse_faults(faults: dict[int, str], on_error: str) -> None:
    if faults and on_error == "raise":
        remedy = "to leave them out use --skip-unreadable (in Python: on_error='skip')"
        raise InputError(listed(faults, f"cannot be read; {remedy}"))


def _long_texts(model: Model, dataset: str, texts: list[str], on_long_text: str) -> dict:
    """How many texts are cut, said aloud or refused."""
    rows, length = cut_texts(model.tokenise, texts), getattr(model.tokenise, "context_length", None)
    if rows:
        what = f"{len(rows)} of {len(texts)} texts of {dataset} have more than the {length} tokens"
        what += f" that {model.name} reads, such as {texts[rows[0]][:60]!r}"
        if on_long_text == "raise":
            say = "shorten or cut them: --on-long-text truncate (in Python: on_long_text='truncate')"
            raise InputError(f"{what}; {say}")
        warnings.warn(f"{what}; what is beyond is cut off", GapkitWarning, stacklevel=3)
    return {"count": len(rows), "of": len(texts), "context_length": length}


def _run_folder(runs: Path, key: str, batch_size: int, device: str, *, one_thread: bool) -> tuple[Path, int]:
    """Where a run's shards lie, and on how many threads they are computed: as they were begun, if they were.

    Batches of another size, or threads of another number, may differ in the last bits: such shards must not be mixed.
    """
    wanted = 1 if one_thread else torch.get_num_threads()

    def folder(threads: int) -> Path:
        settings = f"{batch_size} {device.partition(':')[0]} {threads} {torch.__version__}"
        return runs / f"{key}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"

    begun = (count for count in (wanted, *range(1, _MOST_THREADS)) if folder(count).is_dir())
    threads = next(begun, wanted)
    return folder(threads), threads


def _facts(model: Model, dataset: Dataset, fingerprint: str, precision: str) -> dict:
    """Everything the numbers depend on; it is stored with them, and its hash is their key."""
    return {
        "weights_sha256": model.weights_sha256(),
        "model_config": model.config,
        "dataset": dataset.name,
        "dataset_fingerprint": fingerprint,
        "notes": dataset.notes,
        "precision": precision,
        "normalisation": "rows divided by their length in float64",
        "format": FORMAT_VERSION,
    }


def _exchanged(model: Model, prompts: list[str]) -> dict:
    """Hashes of what becomes of the texts, and of a probe, where the configuration does not tell: a tokeniser has files
    of its own, and parts of a model can be exchanged.
    """
    usual = functools.partial(open_clip().tokenize, context_length=model.config.get("context_length") or 77)
    tokens, plain = (batches.tokens_sha256(tokenise, prompts) for tokenise in (model.tokenise, usual))
    found = {} if tokens == plain else {"tokens": tokens}
    transform = open_clip().transform
    probe = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 97, 3), dtype=np.uint8))
    try:
        settings = transform.PreprocessCfg(**model.config.get("preprocess", {}))
        told = transform.image_transform_v2(settings, is_train=False)(probe)
        made, again = (model.preprocess(probe) for _ in range(2))
        if not torch.equal(made, again):
            return found | {"pixels": "random"}
        return found if torch.equal(told, made) else found | {"pixels": _tensor_sha256(made)}
    except (TypeError, ValueError, RuntimeError, AttributeError):  # a stranger's preprocessing
        return found | {"pixels": "unknown"}


def _tensor_sha256(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.float().cpu().numpy().tobytes()).hexdigest()


def _copy_out(source: Path, out: Path, dtype: str) -> Path:
    """Write the finished file where the caller wants it, over what a killed copy left there."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
    with locked(cache_folder() / "runs" / f"out-{name}.lock"):
        remove_leftovers(out.parent, out.name)
        if dtype == "float32":
            return write_atomically(out, lambda temporary: check_hash(shutil.copyfile(source, temporary)))
        return EmbeddingSet.load(source, memory_map=True).save(out, dtype=dtype)


def _compute(model, dataset, prompts, hashes, run, how, workers, on_error, progress, client):
    """Make the shards that are still missing; returns those of the images and of the texts."""
    from tqdm import tqdm

    size = how.batch_size * _SHARD_BATCHES
    images = ShardFolder(run, "images", count=len(dataset.images), size=size)
    texts = ShardFolder(run, "texts", count=len(prompts), size=size)
    if on_error == "raise":
        images.forget_faults()  # perhaps it was a passing one
    todo = dict(images.missing())
    total, done = len(dataset.images), len(dataset.images) - sum(map(len, todo.values()))
    with tqdm(total=total, unit=" images", disable=not progress, initial=done) as bar:
        if client is not None:
            missing = [("texts", *shard) for shard in texts.missing()]
            missing += [("images", *shard) for shard in todo.items()]
            ready = batches.embed_shards(client, model, dataset, prompts, hashes, how, missing)
            for side, number, embeddings, faults in ready:
                {"images": images, "texts": texts}[side].write(number, embeddings, faults)
                bar.update(len(images.ranges[number]) if side == "images" else 0)
            return images, texts
        with how.calculating():
            for number, rows in texts.missing():
                some = prompts[rows.start : rows.stop]
                texts.write(number, batches.encode_texts(model, some, how), {})
            here: dict = {"workers": workers, "advance": bar.update, "dataset": dataset.name}
            ready = batches.encode_images(model, dataset.images, hashes, todo, how, **here)
            for number, embeddings, faults in ready:
                images.write(number, embeddings, faults)
    return images, texts


def _slug(name: str) -> str:
    plain = re.sub(r"[^\w.@-]+", "-", name, flags=re.ASCII)  # other letters take up to 4 bytes
    return plain.strip("-")[-60:]
