"""Small made-up sets of embeddings with a gap, one for each kind of task, and what every experiment says of them."""

import functools

import numpy as np
import pytest

from gapkit._arrays import normalise_rows
from gapkit.embeddings import EmbeddingSet
from gapkit.experiments import Job, measure, tables_of
from gapkit.experiments.plan import locate

D, CLASSES, IMAGES = 130, 6, 36
MODEL = "toy"


def unit(z):
    return normalise_rows(z)


def make_sets(seed=0):
    """name -> EmbeddingSet: texts around one centre, images around another, right ones close to each other."""
    rng = np.random.default_rng(seed)
    gap = np.zeros(D)
    gap[0] = 1.0
    meaning = rng.standard_normal((CLASSES, D)) / np.sqrt(D)
    labels = np.arange(IMAGES) % CLASSES
    own = 0.5 * rng.standard_normal((IMAGES, D)) / np.sqrt(D)
    texts, images = unit(meaning - gap), unit(meaning[labels] + own + gap)
    about = {"model": MODEL, "dataset": "toy"}
    classes = EmbeddingSet(
        images=images, texts=texts, task="zero-shot", labels=labels, normalised=True, metadata=about
    )
    wordings = [texts, *(unit(texts + 0.6 * rng.standard_normal(texts.shape) / np.sqrt(D)) for _ in range(3))]
    templates = [{"template": f"wording {i}", "held_out": i > 1, "synonyms": False} for i in range(4)]
    rephrased = EmbeddingSet(
        images=images,
        texts=np.concatenate(wordings),
        task="zero-shot",
        labels=labels,
        normalised=True,
        metadata={**about, "notes": {"templates": templates}},
    )
    captions = unit(meaning[labels] + own + 0.3 * rng.standard_normal(own.shape) / np.sqrt(D) - gap)
    pairs = EmbeddingSet(images=images, texts=captions, task="pairs", normalised=True, metadata=about)
    rows = np.repeat(np.arange(IMAGES), 2)
    offered = np.stack([rng.permutation(np.setdiff1d(np.arange(CLASSES), [labels[row]]))[:3] for row in rows])
    offered = np.column_stack([labels[rows], offered])
    choice = EmbeddingSet(
        images=images,
        texts=texts,
        task="multiple-choice",
        options=offered,
        answers=np.zeros(len(rows), int),
        image_rows=rows,
        groups=["left" if i % 2 else "right" for i in range(len(rows))],
        normalised=True,
        metadata=about,
    )
    return {"classes": classes, "rephrased": rephrased, "pairs": pairs, "choice": choice}


@functools.cache
def saved_sets(folder):
    return {name: str(one.save(folder / f"{name}.safetensors")) for name, one in make_sets().items()}


_FOLDER = []  # fixtures of several modules share one folder, and so everything that was computed from it


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """name -> path of the saved set."""
    if not _FOLDER:
        _FOLDER.append(tmp_path_factory.mktemp("toys"))
    return saved_sets(_FOLDER[0])


def job(name, dataset, **options):
    return Job(name, MODEL, dataset, options=options)


ON = {
    "gap": ("classes", "pairs", "choice"),
    "orthogonality": ("classes", "pairs"),
    "noise": ("classes",),
    "closers": ("classes",),
    "axes": ("classes",),
    "levers": ("classes",),
    "noise-kinds": ("classes",),
    "raw-shift": ("classes",),
    "multiple-choice": ("choice",),
    "quantisation": ("classes",),
    "rephrasing": ("rephrased",),
    "retrieval": ("pairs",),
    "mixed": ("pairs",),
}
OPTIONS = {"noise": {"draws": 5}, "axes": {"draws": 5}, "noise-kinds": {"draws": 2}}


@functools.cache
def measured(folder):
    """Results of every experiment that needs no family, on the toys."""
    toys = saved_sets(folder)
    jobs = [
        locate(job(name, toys[kind], **OPTIONS.get(name, {}))) for name, kinds in ON.items() for kind in kinds
    ]
    return [measure(one) for one in [*jobs, Job("theory", options={"steps": 60})]]


@pytest.fixture(scope="session")
def results(toy):
    return measured(_FOLDER[0])


@pytest.fixture(scope="session")
def tables(results):
    return tables_of(results)
