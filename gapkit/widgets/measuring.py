"""The widgets of lesson 01: the gap explorer, which names every point, and the heat map of cosines."""

import base64
import functools
import html
import io
from typing import NamedTuple

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from gapkit._arrays import normalise_rows
from gapkit.datasets import load_dataset
from gapkit.embeddings import EmbeddingSet, load_embeddings
from gapkit.geometry import gap_vector, matched_cosine, nearest
from gapkit.plots import PALETTE, canvas, plot_pca, plot_similarity, png
from gapkit.widgets.panel import View, choice, panel, slider

DATASETS = ("scenes100", "digits10", "scenes-pairs")
THUMBNAIL = 48
NAMED = 120
"""How many images, and as many texts, say what they are under the pointer."""

_STYLE = f"""<style>
.gk-point {{position:absolute; width:12px; height:12px; margin:-6px; border-radius:50%}}
.gk-card {{display:none; position:absolute; left:14px; top:14px; z-index:9; padding:4px; width:max-content;
  max-width:220px; background:#fff; color:#222; border:1px solid #555; font-size:12px}}
.gk-point:hover {{outline:2px solid {PALETTE["gap"]}}}
.gk-point:hover .gk-card {{display:block}}
.gk-chosen {{position:absolute; width:16px; height:16px; margin:-10px; border:2px solid {PALETTE["gap"]}}}
.gk-round {{border-radius:50%}}
.gk-thumb {{width:{THUMBNAIL}px; height:{THUMBNAIL}px; display:inline-block; vertical-align:middle}}
</style>"""


class Scene(NamedTuple):
    """What the gap explorer shows of one model and dataset, drawn once."""

    entries: EmbeddingSet
    png: bytes
    text_places: np.ndarray
    image_places: np.ndarray
    rows: np.ndarray
    thumbnails: tuple[str, ...]


@functools.lru_cache(maxsize=16)
def _entries(model: str, dataset: str) -> EmbeddingSet:
    return load_embeddings(f"{model}/{dataset}")


@functools.lru_cache(maxsize=4)
def _thumbnails(dataset: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which images can be marked, and small pictures of them."""
    images = load_dataset(dataset).images
    rows = np.linspace(0, len(images) - 1, min(NAMED, len(images))).round().astype(int)
    return rows, tuple(_thumbnail(images[int(row)]) for row in rows)


@functools.lru_cache(maxsize=16)
def _scene(model: str, dataset: str) -> Scene:
    entries = _entries(model, dataset)
    ax = plot_pca(entries.texts, entries.images, ax=_still_axes(6.4, 4.4, left=0.14, bottom=0.13))
    picture = png(ax, dpi=90)
    width, height = ax.figure.bbox.size
    drawn = [np.asarray(cloud.get_offsets()) for cloud in ax.collections[:2]]
    places = [ax.transData.transform(flat) / (width, -height) + (0, 1) for flat in drawn]
    return Scene(entries, picture, *places, *_thumbnails(dataset))


def _still_axes(width, height, **margins) -> Axes:
    """Axes with fixed margins: laying out a figure by its contents takes longer than drawing it."""
    ax = canvas(width=width, height=height, layout=None)
    ax.figure.subplots_adjust(**{"right": 0.98, "top": 0.95, **margins})
    return ax


def _thumbnail(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.convert("RGB").resize((THUMBNAIL, THUMBNAIL)).save(stream, format="JPEG", quality=70)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _at(place: np.ndarray) -> str:
    return f"left:{100 * place[0]:.2f}%;top:{100 * place[1]:.2f}%"


@functools.lru_cache(maxsize=6)
def _named_points(model: str, dataset: str) -> str:
    """Spots over the picture that say, under the pointer, which text or image lies there."""
    scene = _scene(model, dataset)
    texts = np.unique(_own_texts(scene))[:NAMED]
    spots = [
        f'<div class="gk-point" style="{_at(scene.text_places[row])}"><div class="gk-card">text: '
        f"{html.escape(scene.entries.text_names[row])}</div></div>"
        for row in texts
    ]
    for thumbnail, row, text in zip(scene.thumbnails, scene.rows, _own_texts(scene), strict=True):
        spots.append(
            f'<div class="gk-point" style="{_at(scene.image_places[row])}"><div class="gk-card">image '
            f'<img class="gk-thumb" src="{thumbnail}" alt=""> of '
            f"{html.escape(scene.entries.text_names[text])}</div></div>"
        )
    return "".join(spots)


def _own_texts(scene: Scene) -> np.ndarray:
    return np.asarray(scene.entries.labels)[scene.rows]


def gap_view(model: str, dataset: str, pair: int) -> View:
    """Both modalities along the gap; one image and its own text are marked and described."""
    scene = _scene(model, dataset)
    entries = scene.entries
    place = min(pair, len(scene.rows) - 1)
    row, text = int(scene.rows[place]), int(_own_texts(scene)[place])
    start, end = scene.text_places[text], scene.image_places[row]
    name = html.escape(entries.text_names[text])
    line = (
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" '
        'style="position:absolute;left:0;top:0;width:100%;height:100%;pointer-events:none">'
        f'<line x1="{100 * start[0]:.2f}" y1="{100 * start[1]:.2f}" x2="{100 * end[0]:.2f}" y2="{100 * end[1]:.2f}" '
        f'stroke="{PALETTE["gap"]}" stroke-width="2" vector-effect="non-scaling-stroke"/></svg>'
    )
    marks = (
        f'<div class="gk-chosen gk-round" style="{_at(start)}"></div><div class="gk-chosen" style="{_at(end)}"></div>'
        '<div style="position:absolute;right:8px;bottom:44px;background:#fff;padding:2px 6px">'
        f'<img class="gk-thumb" src="{scene.thumbnails[place]}" alt="the marked image"> {name}</div>'
    )
    return View(
        scene.png,
        "Texts (circles) on the left and images (triangles) on the right of the gap; a line joins the marked image "
        "to its own text.",
        _gap_summary(entries, model, dataset, row, text),
        _STYLE + line + _named_points(model, dataset) + marks,
    )


def _gap_summary(entries: EmbeddingSet, model: str, dataset: str, row: int, text: int) -> str:
    width = float(np.linalg.norm(gap_vector(entries.texts, entries.images)))
    answer = int(nearest(entries.images[row : row + 1], entries.texts)[0])
    cosine = matched_cosine(entries.texts[text : text + 1], entries.images[row : row + 1])
    names = entries.text_names
    said = "which is right" if answer == text else f"where “{names[text]}” is right"
    return (
        f"{model} on {dataset}: gap {width:.2f}. Image {row} and its own text “{names[text]}”: cosine {cosine:.2f}; "
        f"nearest text “{names[answer]}”, {said}."
    )


def gap_explorer(models: list[str], datasets: tuple[str, ...] = DATASETS) -> ipw.VBox:
    """Choose a model, a dataset and a pair; point at any spot to see which image or text it is."""
    return panel(
        gap_view,
        model=choice("model", models, models[0]),
        dataset=choice("dataset", datasets, datasets[0]),
        pair=slider("marked pair", 0, 0, NAMED - 1, 1),
    )


def similarity_view(model: str, dataset: str, rows: int, centred: bool) -> View:
    """Cosines of the first matched pairs in four blocks, as they are or with each modality's mean taken off."""
    x, y = (np.asarray(z, dtype=np.float64) for z in _entries(model, dataset).matched())
    if centred:
        x, y = x - x.mean(0), y - y.mean(0)
    x, y = x[:rows], y[:rows]
    cosines = normalise_rows(x) @ normalise_rows(y).T
    own = float(np.diag(cosines).mean())
    others = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    title = "means taken off" if centred else "as the model gives them"
    ax = _still_axes(5.2, 4.4, left=0.06, bottom=0.08)
    return View(
        png(plot_similarity(x, y, rows=rows, title=title, ax=ax), dpi=90),
        "Heat map of cosines in four blocks: texts with texts, texts with images, images with images.",
        f"{model} on {dataset}, {title}: mean cosine of an image and its own text {own:.2f}, and of an image and "
        f"other texts {others:.2f}.",
    )


def similarity_explorer(models: list[str], datasets: tuple[str, ...] = DATASETS) -> ipw.VBox:
    """Choose a model, a dataset and how many pairs, and see the two modalities' blocks, with and without the gap."""
    return panel(
        similarity_view,
        model=choice("model", models, models[0]),
        dataset=choice("dataset", datasets, datasets[0]),
        rows=slider("pairs", 60, 10, 100, 10),
        centred=ipw.Checkbox(value=False, description="take off each modality's mean", indent=False),
    )
