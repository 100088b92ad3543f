"""Which jobs a replication consists of."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gapkit._paths import shipped_file, shipped_names
from gapkit.datasets import BUILTIN_DATASETS, dataset_options, load_dataset
from gapkit.embeddings import list_embeddings, load_embeddings
from gapkit.errors import InputError
from gapkit.experiments.formation import SEEDS, seed_name
from gapkit.experiments.protocol import ALPHAS
from gapkit.experiments.registry import EXPERIMENTS, Experiment, experiment
from gapkit.experiments.subject import load_subject, model_of, stands_alone, wordings_of
from gapkit.experiments.sweep import Job

TRAINED = ("miniclip-wide", "miniclip-t0.01", "miniclip-learned", "miniclip-siglip")
CONTROL = "miniclip-random"
SHIPPED = (*TRAINED, CONTROL)
DATASETS = BUILTIN_DATASETS
FAMILY_DATASETS = ("digits10", "scenes100")
CURVES = "training curve"
QUICK_ALPHAS = (-0.5, *(a for a in ALPHAS if 0 <= a <= 1), 1.25, 1.5)
FULL_ALPHAS = tuple(round(0.05 * step, 2) for step in range(-10, 31))
FEWEST_IMAGES = 8
"""Of fewer, a resample may easily hold one image alone, which has no variance."""


def plan(
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    full: bool = False,
    seed: int = 0,
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

    Returns
    -------
    Jobs. The shipped training curves are left out where only datasets were asked for. What a job needs is looked up now, so that a mistyped name is an error before anything is measured.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest), or nothing is left to do.
    """
    chosen = [experiment(name) for name in only] if only else list(EXPERIMENTS)
    if not models and not datasets:
        shipped_names()  # without the shipped data next to nothing would be left, and nobody would notice
    subjects = _subjects(models, datasets)
    everything = not models and not datasets
    jobs = []
    for one in chosen:
        if not one.kinds:
            jobs += [Job(one.name, seed=seed, options=_options(one, full))] if everything or only else []
        elif one.kinds == (CURVES,):
            jobs += [
                Job(one.name, model, seed=seed, options={"seeds": seeds})
                for model in (_curves(models) if everything or models or only else [])
                if (seeds := _shipped_seeds(model))
            ]
        elif one.kinds == ("family",):
            jobs += _family(one, seed) if everything else []
        else:
            places = [
                *subjects,
                *(_other_seeds() if full and everything and "zero-shot" in one.kinds else []),
            ]
            jobs += [
                Job(one.name, model, dataset, seed, _options(one, full))
                for model, dataset in places
                if kind_of(model, dataset) in (*one.kinds, *(one.on_request if datasets else ()))
            ]
    if not jobs:
        raise InputError(
            f"nothing to do: none of {', '.join(one.name for one in chosen)} runs on "
            f"{', '.join('/'.join(filter(None, place)) for place in subjects)}"
        )
    return jobs


def prepare(
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    *,
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
    how: dict | None = None,
    **options,
) -> dict[tuple[str, str], Path]:
    """Embed what `plan` will need and nothing holds yet, so that it is done in sight, and before anything else.

    Parameters
    ----------
    models, datasets : as in `plan`
    device : see `gapkit.load_model`
    say : called with a line before and after each embedding
    how : options of `gapkit.encoders.embed_to_file`, such as ``workers`` or ``progress``
    **options : of the datasets, such as ``root``; each dataset gets those it knows. A set that is shipped is
        embedded again where it gets any

    Returns
    -------
    (model, dataset) -> file in the cache, for `gapkit.experiments.subject.using`

    Raises
    ------
    InputError
        If a name is unknown, an option fits no dataset, or something cannot be embedded.
    """
    named = [dataset for dataset in datasets if not stands_alone(dataset)]
    for option in options:
        if not any(option in dataset_options(dataset) for dataset in named):
            asked = ", ".join(datasets) or "the shipped sets"
            raise InputError(f"--{option} fits none of the datasets to embed; got {asked}")
    known, wanted, data = set(list_embeddings()), {}, {}
    for model, dataset in _subjects(models, datasets):
        if stands_alone(dataset):
            continue
        given = {key: value for key, value in options.items() if key in dataset_options(dataset)}
        if given or f"{model}/{dataset}" not in known:
            wanted.setdefault(model, []).append(dataset)
            if dataset not in data:  # before any model is loaded: a missing folder is an error at once
                data[dataset] = load_dataset(dataset, **given)
    if not wanted:
        return {}
    from gapkit.encoders import embed_to_file, load_model

    files = {}
    for name, those in wanted.items():
        model = load_model(name, device=device)
        for dataset in those:
            say(f"{model}; {data[dataset]}")
            files[name, dataset] = embed_to_file(model, data[dataset], **(how or {}))
            for image, why in load_embeddings(files[name, dataset], memory_map=True).metadata["skipped"]:
                say(f"left out {image}: {why}")
    return files


def kind_of(model: str, dataset: str) -> str:
    """What can be done with a dataset: its task, or "rephrased" for several wordings of the same classes.

    Raises
    ------
    InputError
        If it has too few images for an interval.
    """
    entries = load_subject(model, dataset)
    if len(entries.images) < FEWEST_IMAGES:
        raise InputError(
            f"{dataset} has {len(entries.images)} images; intervals come from resampling them, "
            f"which takes at least {FEWEST_IMAGES}: add some (gapkit measure works with fewer)"
        )
    return "rephrased" if wordings_of(entries) else entries.task


def _subjects(models: Sequence[str], datasets: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of model and dataset; a file or COCO-500 brings its own model."""
    alone = [dataset for dataset in datasets if stands_alone(dataset)]
    others = [dataset for dataset in datasets if not stands_alone(dataset)]
    if alone and models and not others:
        raise InputError(
            f"{alone[0]} holds embeddings, of a model of its own; leave out --model {models[0]}, "
            "or name a dataset to embed with it"
        )
    pairs = [(model_of(dataset), dataset) for dataset in alone]
    if datasets and not others:
        return pairs
    known = set(list_embeddings())
    for model in models or SHIPPED:
        for dataset in others or DATASETS:
            # The control has no use for every stand-in; what was asked for by name must be there.
            if others or f"{model}/{dataset}" in known or model not in SHIPPED:
                pairs.append((model, dataset))
    return pairs


def _curves(models: Sequence[str]) -> list[str]:
    return [model for model in (models or TRAINED) if model in TRAINED]


def _shipped_seeds(model: str) -> list[int]:
    """The seeds of a setting that are there; what is missing makes the family's claims undecidable."""
    known = set(list_embeddings())
    return [run for run in SEEDS if f"{seed_name(model, run)}/{FAMILY_DATASETS[0]}" in known]


def _family(one: Experiment, seed: int) -> list[Job]:
    members = [
        (seed_name(model, run), dataset)
        for dataset in FAMILY_DATASETS
        for model in TRAINED
        for run in _shipped_seeds(model)
    ]
    for model, dataset in members:
        shipped_file(f"embeddings/{model}/{dataset}.safetensors")  # missing or damaged: an error now
    return [Job(one.name, model, dataset, seed) for model, dataset in members]


def _other_seeds() -> list[tuple[str, str]]:
    return [
        (seed_name(model, run), dataset)
        for model in TRAINED
        for run in _shipped_seeds(model)
        if run
        for dataset in FAMILY_DATASETS
    ]


def _options(one: Experiment, full: bool) -> dict:
    if one.name == "noise":
        if full:
            return {"alphas": list(FULL_ALPHAS), "draws": 200}
        return {"alphas": list(QUICK_ALPHAS), "paper_alphas": [0.0, 0.5, 1.0], "draws": 24}
    if one.name == "retrieval":
        return {} if full else {"quick": True}
    if one.name == "axes":
        return {"draws": 200 if full else 40}
    return {}
