"""Draw ``data/example_images``: the small folder of photograph-like scenes that lesson 08 works on.

``classes/NAME/*.jpg`` is a folder with one subfolder for each class; ``pairs/*.jpg`` with
``pairs/captions.csv`` are images with captions. Both are what a reader's own images look like on the disk.

Usage: ``python tools/example_images.py [--out FOLDER]``, then ``python tools/data.py manifest``.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from gapkit.datasets import COLOURS, SHAPES
from gapkit.datasets.captions import scene_captions
from gapkit.datasets.scenes import render, sample_scenes

CLASSES = ("red star", "blue circle", "green square", "yellow heart", "purple ring", "white cross")
EACH, PAIRS, SIZE, SEED = 5, 24, 160, 808


def photograph(pixels: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Make a drawing look taken: a little out of focus, warm or cool, dark at the corners, grainy."""
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.2)))
    light = np.asarray(blurred, dtype=np.float64) / 255
    axis = np.linspace(-1, 1, SIZE)
    corners = 1 - rng.uniform(0.1, 0.3) * (axis[:, None] ** 2 + axis**2) / 2
    warmth = 1 + rng.uniform(-0.05, 0.05) * np.array([1.0, 0.0, -1.0])
    grain = rng.normal(0, 0.015, light.shape)
    seen = np.clip(light * corners[..., None] * warmth + grain, 0, 1)
    return Image.fromarray((seen * 255 + 0.5).astype(np.uint8))


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parent.parent
    parser.add_argument("--out", type=Path, default=root / "data" / "example_images")
    out = parser.parse_args().out
    rng = np.random.default_rng(SEED)
    words = [name.split() for name in np.repeat(CLASSES, EACH)]
    singles = sample_scenes(
        rng,
        np.ones(len(words), int),
        shape=np.array([SHAPES.index(shape) for _, shape in words]),
        colour=np.array([list(COLOURS).index(colour) for colour, _ in words]),
    )
    for number, (name, pixels) in enumerate(zip(words, render(singles, size=SIZE), strict=True)):
        save(photograph(pixels, rng), out / "classes" / "_".join(name) / f"{number % EACH + 1}.jpg")
    doubles = sample_scenes(rng, np.full(PAIRS, 2))
    rows = [("image", "caption")]
    for number, pixels in enumerate(render(doubles, size=SIZE), start=1):
        save(photograph(pixels, rng), out / "pairs" / f"{number:02d}.jpg")
    captions = scene_captions(doubles, rng, full=True)
    rows += [(f"{number:02d}.jpg", caption) for number, caption in enumerate(captions, start=1)]
    with open(out / "pairs" / "captions.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def save(image: Image.Image, path: Path) -> None:
    """Write a small JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=85)


if __name__ == "__main__":
    main()
