"""The orthogonality explorer: one model and dataset after another, and where the gap stands in each."""

import functools

import ipywidgets as ipw
import numpy as np

from gapkit.embeddings import load_embeddings
from gapkit.geometry import Band, gap_vector, relative_variance, subspace_share
from gapkit.geometry.orthogonality import band_of_spectrum
from gapkit.plots.orthogonality import SIDES, Orthogonality, OrthogonalityPlayer
from gapkit.widgets.panel import View, choice, panel


def orthogonality_numbers(texts, images) -> tuple[Orthogonality, dict[str, Band]]:
    """What the explorer draws of two modalities, and the band of random directions for each.

    Parameters
    ----------
    texts, images : (k, d) and (n, d) arrays

    Returns
    -------
    Orthogonality, and a dict from side to Band
    """
    sides = dict(zip(SIDES, (texts, images), strict=True))
    g, d = gap_vector(texts, images), texts.shape[1]
    spectra = {side: _spectrum(z) for side, z in sides.items()}
    along = {side: relative_variance(z, g) for side, z in sides.items()}
    bands = {side: band_of_spectrum(np.pad(s, (0, d - len(s)))) for side, s in spectra.items()}
    steps = np.arange(1, min(len(texts) - 1, d) + 1)
    return Orthogonality(spectra, along, np.asarray(subspace_share(texts, g, steps)) ** 2), bands


def _spectrum(z: np.ndarray) -> np.ndarray:
    """Variance along each component, relative to isotropic; from the smaller matrix of products, which is quicker."""
    centred = z - z.mean(0)
    small = centred @ centred.T if len(z) <= z.shape[1] else centred.T @ centred
    squares = np.linalg.eigvalsh(small)[::-1][: min(len(z) - 1, z.shape[1])].clip(min=0)
    return squares / squares.sum() * z.shape[1]


@functools.lru_cache(maxsize=2)
def _player(dimension: int) -> OrthogonalityPlayer:
    return OrthogonalityPlayer(dimension)


@functools.lru_cache(maxsize=16)
def orthogonality_view(model: str, dataset: str) -> View:
    """Spectrum and subspace share of one model's embeddings, and where the gap stands among them."""
    entries = load_embeddings(f"{model}/{dataset}")
    texts, images = (np.asarray(z, dtype=np.float64) for z in (entries.texts, entries.images))
    shown, bands = orthogonality_numbers(texts, images)
    sentences = []
    for side, value in shown.along.items():
        band = bands[side]
        place = "below" if value < band.low else "above" if value > band.high else "inside"
        sentences.append(f"{side} {value:.2f}, {place} the random band {band.low:.2f} to {band.high:.2f}")
    return View(
        _player(texts.shape[1]).png(shown),
        "Left: variance of each modality by principal component, with a line at the variance along the gap. "
        "Right: squared share of the gap in the texts' leading components, with the band of random directions.",
        f"{model} on {dataset}: gap {np.linalg.norm(gap_vector(texts, images)):.2f}; "
        f"variance along it: {'; '.join(sentences)} (values alone, without their intervals).",
    )


def orthogonality_explorer(
    models: list[str], datasets: tuple[str, ...] = ("scenes100", "digits10", "scenes-pairs")
) -> ipw.VBox:
    """Choose a model and a dataset, and see how orthogonal its gap is."""
    return panel(
        orthogonality_view,
        model=choice("model", models, models[0]),
        dataset=choice("dataset", datasets, datasets[0]),
    )
