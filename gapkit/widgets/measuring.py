"""Explorers of a model's embeddings: the gap, with every point named; the cosines; and is the gap orthogonal?"""

import base64
import functools
import html
import io
from pathlib import Path
from typing import NamedTuple

import ipywidgets as ipw
import numpy as np
from PIL import Image

from gapkit import geometry
from gapkit._arrays import normalise_rows
from gapkit.datasets import load_dataset
from gapkit.embeddings import EmbeddingSet, load_embeddings
from gapkit.errors import InputError
from gapkit.geometry.orthogonality import band_of_spectrum, place_in_band
from gapkit.plots.blitting import DPI, still_axes
from gapkit.plots.geometry import Orthogonality, orthogonality_player, plot_pca, plot_similarity
from gapkit.plots.style import PALETTE, SIDES, png
from gapkit.widgets.panel import View, choose_set, limit, panel, slider

DATASETS = ("scenes100", "digits10", "scenes-pairs")
THUMBNAIL = 40
COLUMNS = 20
"""Small pictures in a row of the sheet that holds them all."""
MARKED = 120
"""How many images can be marked, together with their own texts."""

_STYLE = Path(__file__).with_name("measuring.css").read_text(encoding="utf-8")
_STYLE = _STYLE.replace("THUMBNAIL", str(THUMBNAIL)).replace("GAP", PALETTE["gap"])


_png = functools.partial(png, dpi=DPI, packing=3)


class Scene(NamedTuple):
    """What the gap explorer shows of one model and dataset, drawn once."""

    entries: EmbeddingSet
    png: bytes
    text_places: np.ndarray
    image_places: np.ndarray
    spots: str


@functools.lru_cache(maxsize=16)
def _entries(model: str, dataset: str) -> EmbeddingSet:
    return load_embeddings(f"{model}/{dataset}")


@functools.lru_cache(maxsize=4)
def _sheet(dataset: str) -> str:
    """Small pictures of all images of a dataset on one sheet, as a style sheet that puts it behind ``gk-thumb``."""
    images = load_dataset(dataset).images
    sheet = Image.new("RGB", (COLUMNS * THUMBNAIL, -(-len(images) // COLUMNS) * THUMBNAIL))
    for row in range(len(images)):
        small = images[row].convert("RGB").resize((THUMBNAIL, THUMBNAIL))
        sheet.paste(small, (row % COLUMNS * THUMBNAIL, row // COLUMNS * THUMBNAIL))
    stream = io.BytesIO()
    sheet.save(stream, format="JPEG", quality=60)
    source = base64.b64encode(stream.getvalue()).decode()
    return f"<style>{_STYLE}.gk-thumb {{background:url(data:image/jpeg;base64,{source})}}</style>"


def _thumbnail(row: int, *, attributes: str = "") -> str:
    """The small picture of one image: its part of the sheet."""
    left, top = row % COLUMNS * THUMBNAIL, row // COLUMNS * THUMBNAIL
    return f'<i class="gk-thumb" style="background-position:-{left}px -{top}px"{attributes}></i>'


@functools.lru_cache(maxsize=16)
def _scene(model: str, dataset: str) -> Scene:
    entries = _entries(model, dataset)
    ax = plot_pca(entries.texts, entries.images, ax=still_axes(6.4, 5.0, left=0.14, bottom=0.115, top=0.88))
    picture = _png(ax)
    width, height = ax.figure.bbox.size
    drawn = [np.asarray(cloud.get_offsets()) for cloud in ax.collections[:2]]
    texts, images = (ax.transData.transform(flat) / (width, -height) + (0, 1) for flat in drawn)
    return Scene(entries, picture, texts, images, _spots(entries, texts, images))


def _named_texts(entries: EmbeddingSet) -> tuple[list[str], np.ndarray]:
    """What each text says (or its number), and the row of each image's own text."""
    if entries.labels is None:
        raise InputError("the explorer marks each image's own text; take a set without multiple choice")
    return list(entries.text_names or map(str, range(len(entries.texts)))), entries.labels


def _at(place: np.ndarray) -> str:
    return f"left:{100 * place[0]:.2f}%;top:{100 * place[1]:.2f}%"


def _spots(entries: EmbeddingSet, text_places: np.ndarray, image_places: np.ndarray) -> str:
    """A spot over every point of the picture that says, under the pointer, which text or image it is."""
    names, own = _named_texts(entries)
    names = [html.escape(name) for name in names]
    texts = [_spot(place, f"text: {name}") for place, name in zip(text_places, names, strict=True)]
    shown = [f"image {row}: {_thumbnail(row)} of {names[text]}" for row, text in enumerate(own)]
    images = map(_spot, image_places, shown)
    return f'<div aria-hidden="true">{"".join([*texts, *images])}</div>'


def _spot(place: np.ndarray, label: str) -> str:
    """One spot; its card opens towards the middle of the picture."""
    turn = (" gk-left" if place[0] > 0.5 else "") + (" gk-up" if place[1] > 0.5 else "")
    return f'<div class="gk-point{turn}" style="{_at(place)}"><div>{label}</div></div>'


def marked_rows(entries: EmbeddingSet) -> np.ndarray:
    """Rows of the images that can be marked, spread evenly over all of them."""
    return np.linspace(0, len(entries.images) - 1, min(MARKED, len(entries.images))).round().astype(int)


def gap_view(model: str, dataset: str, pair: int) -> View:
    """Both modalities along the gap; one image and its own text are marked and described.

    Every point says under the pointer what it is; where points lie on each other, the uppermost does.
    """
    scene = _scene(model, dataset)
    entries = scene.entries
    rows = marked_rows(entries)
    row = int(rows[min(pair, len(rows) - 1)])
    names, own = _named_texts(entries)
    text = int(own[row])
    start, end = scene.text_places[text], scene.image_places[row]
    (x1, y1), (x2, y2) = 100 * start, 100 * end
    line = (
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" '
        'style="position:absolute;left:0;top:0;width:100%;height:100%;pointer-events:none">'
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" '
        f'stroke="{PALETTE["gap"]}" stroke-width="2" vector-effect="non-scaling-stroke"/></svg>'
    )
    picture = _thumbnail(row, attributes=' role="img" aria-label="the marked image"')
    marks = (
        f'<div class="gk-chosen gk-round" style="{_at(start)}"></div>'
        f'<div class="gk-chosen" style="{_at(end)}"></div>'
        f'<div class="gk-box">marked: {picture} {html.escape(names[text])}</div>'
    )
    width = float(np.linalg.norm(geometry.gap_vector(entries.texts, entries.images)))
    answer = int(geometry.nearest(entries.images[row : row + 1], entries.texts)[0])
    cosine = geometry.matched_cosine(entries.texts[text : text + 1], entries.images[row : row + 1])
    verdict = "which is right" if answer == text else f"where “{names[text]}” is right"
    return View(
        scene.png,
        "Texts (circles) on the left and images (triangles) on the right of the gap; "
        "a line joins the marked image to its own text.",
        f"{model} on {dataset}: gap {width:.2f}. Image {row} and its own text “{names[text]}”: "
        f"cosine {cosine:.2f}; nearest text “{names[answer]}”, {verdict}.",
        _sheet(dataset) + line + scene.spots + marks,
    )


def gap_explorer(models: list[str], datasets: tuple[str, ...] = DATASETS) -> ipw.VBox:
    """Choose a model, a dataset and a pair; point at any spot to see which image or text it is.

    The datasets' small pictures are made here, once, which takes a moment; afterwards every choice is quick.
    """
    for dataset in datasets:
        _sheet(dataset)
    chosen, pair = choose_set(models, datasets), slider("marked pair", 0, 0, MARKED - 1, 1)
    pair = limit(pair, lambda *of: len(marked_rows(_entries(*of))) - 1, chosen)
    return panel(gap_view, **chosen, pair=pair)


def similarity_view(model: str, dataset: str, rows: int, centred: bool) -> View:
    """Cosines of the first matched pairs in four blocks, as they are or with each modality's mean subtracted."""
    x, y = (np.asarray(z, dtype=np.float64) for z in _entries(model, dataset).matched())
    if centred:
        x, y = x - x.mean(0), y - y.mean(0)
    x, y = x[:rows], y[:rows]
    cosines = normalise_rows(x) @ normalise_rows(y).T
    own = float(np.diag(cosines).mean())
    others = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    title = "means subtracted" if centred else "as the model gives them"
    ax = still_axes(5.2, 4.4, left=0.06, right=0.93, bottom=0.08)
    return View(
        _png(plot_similarity(x, y, rows=rows, title=title, ax=ax)),
        "Heat map of cosines in four blocks: texts with texts, texts with images, images with images.",
        f"{model} on {dataset}, {title}: mean cosine of an image and its own text {own:.2f}, "
        f"and of an image and other texts {others:.2f}.",
    )


def similarity_explorer(models: list[str], datasets: tuple[str, ...] = DATASETS) -> ipw.VBox:
    """Choose a model, a dataset and how many pairs, and see the two modalities' blocks, with and without the gap."""
    chosen, rows = choose_set(models, datasets), slider("pairs", 60, 10, 100, 10)
    return panel(
        similarity_view,
        **chosen,
        rows=limit(rows, lambda *of: min(100, len(_entries(*of).images)), chosen),
        centred=ipw.Checkbox(value=False, description="subtract each modality's mean", indent=False),
    )


def orthogonality_numbers(texts, images) -> tuple[Orthogonality, dict[str, geometry.Band]]:
    """What the explorer draws of two modalities, and the band of random directions for each.

    Parameters
    ----------
    texts, images : (k, d) and (n, d) arrays

    Returns
    -------
    Orthogonality, and a dict from side to Band
    """
    sides = dict(zip(SIDES, (texts, images), strict=True))
    g, d = geometry.gap_vector(texts, images), texts.shape[1]
    spectra = {side: geometry.relative_spectrum(z) for side, z in sides.items()}
    along = {side: geometry.relative_variance(z, g) for side, z in sides.items()}
    bands = {side: band_of_spectrum(np.pad(s, (0, d - len(s)))) for side, s in spectra.items()}
    steps = np.arange(1, min(len(texts) - 1, d) + 1)
    return Orthogonality(spectra, along, np.asarray(geometry.subspace_share(texts, g, steps)) ** 2), bands


_player = functools.lru_cache(maxsize=2)(orthogonality_player)


@functools.lru_cache(maxsize=16)
def orthogonality_view(model: str, dataset: str) -> View:
    """Spectrum and subspace share of one model's embeddings, and where the gap stands among them."""
    entries = load_embeddings(f"{model}/{dataset}")
    texts, images = (np.asarray(z, dtype=np.float64) for z in (entries.texts, entries.images))
    shown, bands = orthogonality_numbers(texts, images)
    sentences = []
    for side, value in shown.along.items():
        place = place_in_band(value, value, band := bands[side])
        sentences.append(f"{side} {value:.2f}, {place} the random band {band.low:.2f} to {band.high:.2f}")
    return View(
        _player(texts.shape[1]).png(shown),
        "Left: variance of each modality by principal component, with a line at the variance along the gap. "
        "Right: squared share of the gap in the texts' leading components, "
        "with the band of random directions.",
        f"{model} on {dataset}: gap {np.linalg.norm(geometry.gap_vector(texts, images)):.2f}; "
        f"variance along it: {'; '.join(sentences)} (values alone, without their intervals).",
    )


def orthogonality_explorer(models: list[str], datasets: tuple[str, ...] = DATASETS) -> ipw.VBox:
    """Choose a model and a dataset, and see how orthogonal its gap is."""
    return panel(orthogonality_view, **choose_set(models, datasets))
