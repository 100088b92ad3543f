"""Which jobs a replication consists of, and the embeddings they will need."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gapkit._files import known_sha256
from gapkit._paths import shipped_file, shipped_names
from gapkit.datasets import load_dataset
from gapkit.datasets.registry import BUILTIN_DATASETS, dataset_options
from gapkit.embeddings import list_embeddings, load_embeddings, published_sets
from gapkit.errors import InputError
from gapkit.experiments.data import find_file, load_set, model_of, stands_alone, wordings_of
from gapkit.experiments.galleries import galleries_in, possible_sizes
from gapkit.experiments.record import Experiment, Job, experiment, experiments
from gapkit.geometry import gap_vector
from gapkit.miniclip import SETTINGS, TRAINED, run_name
from gapkit.tasks.galleries import LEAST_BLOCKS, SIZES

SHIPPED = tuple(run_name(name, 0) for name, setting in SETTINGS.items() if setting.everywhere)
"""The models that every experiment is done on, first seeds: the trained ones, then the random control."""
DATASETS = BUILTIN_DATASETS
FAMILY_DATASETS = ("digits10", "scenes100")
SEEDS = (0, 1, 2)
Files = Mapping[tuple[str, str], Path]
"""(model, dataset) -> file of embeddings."""
CONTROL_EXPERIMENTS = ("gap", "orthogonality")
"""What published models without training are measured on: no answer of theirs is worth keeping."""
FEWEST_IMAGES = 8
"""Of fewer, a resample may easily hold one image alone, which has no variance."""


def plan(
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    full: bool = False,
    seed: int = 0,
    galleries: Sequence[int] = SIZES,
    files: Files | None = None,
) -> list[Job]:
    """The jobs of a replication, experiment by experiment.

    Parameters
    ----------
    models : names as `gapkit.load_model` takes them; the shipped family when left out
    datasets : names as `gapkit.load_embeddings` or `gapkit.datasets.load_dataset` take them, or files of
        embeddings; every shipped one when left out
    only : names of experiments; all when left out
    full : finer grids, more draws, and every seed of the family in every experiment on classes
    seed : of everything random
    galleries : numbers of candidates; sets of pairs that were asked for by name are also cut into small galleries
        of so many, where they have enough pairs for five disjoint ones
    files : embeddings that `prepare` has made

    Returns
    -------
    Jobs, each with the path of its file and the sha256 of its bytes. The shipped training curves are left out where
    only datasets were asked for. What a job needs is looked up now, so that a mistyped name is an error before
    anything is measured.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest), or nothing is left to do.
    """
    chosen = [experiment(name) for name in dict.fromkeys(only)] or list(experiments())
    if not models and not datasets:
        shipped_names()  # without the shipped data next to nothing would be left, and nobody would notice
    places = list(dict.fromkeys(_places(models, datasets)))
    for place in places if datasets else ():
        _check_sides(place, files)
    sizes = _sizes(places, galleries, files) if datasets else {}
    jobs = []
    for record in chosen:
        options = dict(record.full if full else record.quick)
        how = {"asked": bool(only), "full": full, "sizes": sizes, "files": files}
        for job in _jobs_of(record, models, datasets, places, **how):
            told = {"experiment": record.name, "seed": seed, "options": options | job.options}
            jobs.append(locate(replace(job, **told), files))
    if not jobs:
        names = ", ".join(record.name for record in chosen)
        where = ", ".join("/".join(filter(None, place)) for place in places)
        raise InputError(f"nothing to do: none of {names} runs on {where}")
    return jobs


def _jobs_of(
    record: Experiment,
    models: Sequence[str],
    datasets: Sequence[str],
    places: Sequence[tuple[str, str]],
    *,
    asked: bool,
    full: bool,
    sizes: Mapping[tuple[str, str], Sequence[int]],
    files: Files | None,
) -> Iterator[Job]:
    """Where one experiment is done, as jobs without its name."""
    everything = not models and not datasets
    if not record.kinds:
        if everything or asked:
            yield Job("")
    elif record.kinds == ("training curve",):
        if everything or models or asked:
            for setting in TRAINED:
                seeds = _shipped_seeds(setting)
                if seeds and (not models or run_name(setting, 0) in models):
                    yield Job("", run_name(setting, 0), options={"seeds": seeds})
    elif record.kinds == ("family",):
        yield from (Job("", *place) for place in (_family() if everything else ()))
    else:
        if full and everything and "zero-shot" in record.kinds:
            places = [*places, *(place for place in _family() if place[0] not in SHIPPED)]
        kinds = (*record.kinds, *(record.on_request if datasets else ()))
        for place in places:
            if _is_published_control(place[1]) and record.name not in CONTROL_EXPERIMENTS:
                continue
            if kind_of(*place, files=files) in kinds:
                yield Job("", *place)
                if record.galleries is not None:
                    for size in sizes.get(place, ()):
                        yield Job("", *place, options={**record.galleries, "galleries": size})


def _check_sides(place: tuple[str, str], files: Files | None) -> None:
    """Two sides of one mean have no gap, and nothing can be said about its direction."""
    path = find_file(*place, files)
    entries = load_set(*place, path)
    length = np.linalg.norm(gap_vector(entries.texts, entries.images))
    if length <= 1e-9 * np.linalg.norm(entries.images, axis=1).mean():
        same = entries.images.shape == entries.texts.shape and np.array_equal(entries.images, entries.texts)
        what = "images and texts are the same rows" if same else "images and texts have the same mean"
        raise InputError(f"{path}: {what}, so there is no gap to measure; was one side stored twice?")


def _is_published_control(dataset: str) -> bool:
    return dataset in published_sets() and published_sets()[dataset].control


def _sizes(
    places: Sequence[tuple[str, str]], galleries: Sequence[int], files: Files | None
) -> dict[tuple[str, str], list[int]]:
    """The sizes of galleries that each pair set has enough pairs for; an error if none was possible at all."""
    found, pairs = {}, {}
    for place in places:
        entries = load_set(*place, find_file(*place, files))
        if entries.task == "pairs":
            pairs[place], found[place] = len(entries.images), possible_sizes(entries, galleries)
    if pairs and galleries and tuple(galleries) != SIZES and not any(found.values()):
        place, count = max(pairs.items(), key=lambda item: item[1])
        most = f"{LEAST_BLOCKS} disjoint galleries of at most {count // LEAST_BLOCKS}"
        raise InputError(f"no gallery of {min(galleries)}: {place[1]} has {count} pairs, which leave {most}")
    return found


def locate(job: Job, files: Files | None = None) -> Job:
    """The job with the path of what it reads and the sha256 of those bytes, unless it has them."""
    if job.sha256:
        return job
    if job.dataset:
        path = Path(job.path) if job.path else find_file(job.model, job.dataset, files)
        return replace(job, path=os.path.abspath(path), sha256=known_sha256(path))
    if "seeds" in job.options:  # training curves: one file a seed
        setting = job.model.removeprefix("miniclip-")
        curves = [shipped_file(f"curves/{run_name(setting, run)}.json") for run in job.options["seeds"]]
        return replace(job, sha256=hashlib.sha256("".join(map(known_sha256, curves)).encode()).hexdigest())
    return job


def prepare(
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    *,
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
    how: dict | None = None,
    **options: Any,
) -> Files:
    """Embed what `plan` will need and nothing holds yet, so that it is done in sight, and before anything else.

    Parameters
    ----------
    models, datasets : as in `plan`
    device : see `gapkit.load_model`
    say : called with a line before and after each embedding
    how : options of `gapkit.encoders.embedding.embed_to_file`, such as ``workers`` or ``progress``
    **options : of the datasets, such as ``root``; each dataset gets those it knows. A set that is shipped is
        embedded again where it gets any

    Returns
    -------
    (model, dataset) -> file in the cache, for `plan`

    Raises
    ------
    InputError
        If a name is unknown, an option fits no dataset, or something cannot be embedded.
    """
    named = [dataset for dataset in datasets if not stands_alone(dataset)]
    for option in options:
        if not any(option in dataset_options(dataset) for dataset in named):
            asked = ", ".join(datasets) or "the shipped sets"
            raise InputError(f"--{option.replace('_', '-')} fits none of the datasets to embed; got {asked}")
    known, wanted, data = set(list_embeddings()), {}, {}
    for model, dataset in _places(models, datasets):
        if stands_alone(dataset):
            continue
        given = {key: value for key, value in options.items() if key in dataset_options(dataset)}
        if given or f"{model}/{dataset}" not in known:
            wanted.setdefault(model, []).append(dataset)
            if dataset not in data:  # before any model is loaded: a missing folder is an error at once
                data[dataset] = load_dataset(dataset, **given)
    if not wanted:
        return {}
    from gapkit.encoders import load_model
    from gapkit.encoders.embedding import embed_to_file

    files, how = {}, {**(how or {}), "device": device}
    for name, those in wanted.items():
        model = load_model(name, device="cpu" if how.get("cluster") else device)
        for dataset in those:
            say(f"{model}; {data[dataset]}")
            files[name, dataset] = embed_to_file(model, data[dataset], **how)
            for image, why in load_embeddings(files[name, dataset], memory_map=True).metadata["skipped"]:
                say(f"left out {image}: {why}")
    return files


def kind_of(model: str, dataset: str, *, files: Files | None = None) -> str:
    """What can be done with a dataset: its task, or "rephrased" for several wordings of the same classes, or
    "near-twins" for galleries of its own.

    Raises
    ------
    InputError
        If it has too few images for an interval.
    """
    entries = load_set(model, dataset, find_file(model, dataset, files))
    if len(entries.images) < FEWEST_IMAGES:
        few = f"{dataset} has {len(entries.images)} images; intervals take at least {FEWEST_IMAGES}"
        raise InputError(f"{few}: add some (gapkit measure works with fewer)")
    if galleries_in(entries):
        return "near-twins"
    return "rephrased" if wordings_of(entries) else entries.task


def _places(models: Sequence[str], datasets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of model and dataset; a file or a published set brings its own model."""
    alone = [dataset for dataset in datasets if stands_alone(dataset)]
    others = [dataset for dataset in datasets if not stands_alone(dataset)]
    if alone and models and not others:
        own = f"{alone[0]} holds embeddings of a model of its own"
        raise InputError(f"{own}; leave out --model {models[0]}, or name a dataset to embed with it")
    yield from ((model_of(dataset), dataset) for dataset in alone)
    if datasets and not others:
        return
    known = set(list_embeddings())
    for model in models or SHIPPED:
        for dataset in others or DATASETS:
            # The control has no use for every stand-in; what was asked for by name must be there.
            if others or f"{model}/{dataset}" in known or model not in SHIPPED:
                yield model, dataset


def _shipped_seeds(setting: str) -> list[int]:
    """The seeds of a setting that are there; what is missing makes the family's claims undecidable."""
    known = set(list_embeddings())
    return [run for run in SEEDS if f"{run_name(setting, run)}/{FAMILY_DATASETS[0]}" in known]


def _family() -> list[tuple[str, str]]:
    """Every member and seed of the family on the datasets that the family is compared on."""
    family = [setting for setting, about in SETTINGS.items() if about.in_family]
    members = [run_name(setting, run) for setting in family for run in _shipped_seeds(setting)]
    return [(member, dataset) for dataset in FAMILY_DATASETS for member in members]
