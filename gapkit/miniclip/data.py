"""What the mini-CLIPs train on: real digits, rendered scenes, and captions, in batches made to teach.

All members of the family see the same batches in the same order.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from gapkit._openclip import open_clip
from gapkit.datasets.builtin import load_digits10
from gapkit.datasets.captions import digit_captions, scene_captions
from gapkit.datasets.scenes import Scenes, concatenate, counterpart, render, sample_scenes
from gapkit.miniclip.family import MODEL_CONFIG, PREPROCESS_CONFIG

BATCH_DIGITS, BATCH_SINGLE, BATCH_DUOS = 30, 50, 24
"""What a batch of 128 holds: digits, one-object scenes, and duos of a two-object scene and its counterpart."""
POOL_SINGLE, POOL_DUOS = 150, 6000
"""Rendered training scenes: `POOL_SINGLE` of each of the 100 classes, and `POOL_DUOS` duos."""
DATA_SEED = 20_260
HELD_OUT_SEED = 77


def normalise_pixels(images: np.ndarray) -> torch.Tensor:
    """(n, h, w, 3) uint8 images as the model's (n, 3, h, w) float32 input."""
    mean, std = (torch.tensor(PREPROCESS_CONFIG[key]) for key in ("mean", "std"))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return (pixels - mean[:, None, None]) / std[:, None, None]


@dataclass(frozen=True)
class TrainingData:
    """The rendered pool every member of the family trains on, and the held-out pairs of the curves."""

    single: Scenes
    single_images: np.ndarray
    duos: tuple[Scenes, Scenes]
    duo_images: tuple[np.ndarray, np.ndarray]
    contrast: np.ndarray
    digit_images: np.ndarray
    digit_labels: np.ndarray
    held_out_images: np.ndarray
    held_out_captions: list[str]

    @classmethod
    def make(cls, *, single: int = POOL_SINGLE, duos: int = POOL_DUOS) -> "TrainingData":
        """Render ``single`` scenes of each class and ``duos`` duos, always from the same seed."""
        rng = np.random.default_rng(DATA_SEED)
        label = np.tile(np.arange(100), single)
        singles = sample_scenes(rng, np.ones_like(label), shape=label // 10, colour=label % 10)
        half = duos // 2
        base = sample_scenes(rng, np.full(duos, 2))
        other_sides = counterpart(base[:half], "sides", rng)
        other_colours = counterpart(base[half:], "colours", rng)
        digits, digit_labels = load_digits10("train")
        held_images, held_captions = held_out_pairs()
        return cls(
            single=singles,
            single_images=_render_in_blocks(singles),
            duos=(base, other := concatenate(other_sides, other_colours)),
            duo_images=(_render_in_blocks(base), _render_in_blocks(other)),
            contrast=np.repeat(["sides", "colours"], [half, duos - half]),
            digit_images=digits,
            digit_labels=digit_labels,
            held_out_images=held_images,
            held_out_captions=held_captions,
        )

    def batch(self, step: int, *, few_wordings: bool = False) -> tuple[np.ndarray, list[str]]:
        """The images and captions of one training step, the same for every member and seed of as many wordings.

        Three of each digit; one-object scenes of distinct classes; duos: so few captions of a batch mean
        the same (InfoNCE would count that as a mistake), and some differ only in what belongs to what.
        """
        rng = np.random.default_rng([DATA_SEED, step])
        few = BATCH_DIGITS // 10
        per_digit = np.concatenate([rng.choice(rows, few, replace=False) for rows in self.rows_of_digit])
        classes = rng.choice(100, BATCH_SINGLE, replace=False)
        single = classes + 100 * rng.integers(len(self.single) // 100, size=BATCH_SINGLE)
        duo = rng.choice(len(self.contrast), BATCH_DUOS, replace=False)
        images = [_jitter(self.digit_images[per_digit], rng), self.single_images[single]]
        captions = digit_captions(self.digit_labels[per_digit], rng, few=few_wordings)
        captions += scene_captions(self.single[single], rng, few=few_wordings)
        for scenes, pixels in zip(self.duos, self.duo_images, strict=True):
            images.append(pixels[duo])
            captions += scene_captions(scenes[duo], rng, few=few_wordings, contrast=self.contrast[duo])
        return np.concatenate(images), captions

    @cached_property
    def rows_of_digit(self) -> list[np.ndarray]:
        """For each digit the rows that show it."""
        return [np.flatnonzero(self.digit_labels == k) for k in range(10)]


def held_out_pairs() -> tuple[np.ndarray, list[str]]:
    """184 images and captions that are never trained on, of the same kinds as the training pairs.

    One test digit of each class, one scene of each of the 100 classes, 74 two-object scenes. The training
    curve and the size of a model's gap are measured on them.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    label = np.arange(100)
    single = sample_scenes(rng, np.ones_like(label), shape=label // 10, colour=label % 10)
    pairs = sample_scenes(rng, np.full(74, 2))
    digits, digit_labels = load_digits10("test")
    rows = [rng.choice(np.flatnonzero(digit_labels == k)) for k in range(10)]
    captions = digit_captions(digit_labels[rows], rng) + scene_captions(single, rng)
    captions += scene_captions(pairs, rng, contrast=np.repeat(["sides", "colours"], 37))
    return np.concatenate([digits[rows], render(single), render(pairs)]), captions


def _render_in_blocks(scenes: Scenes, block: int = 256) -> np.ndarray:
    return np.concatenate([render(scenes[i : i + block]) for i in range(0, len(scenes), block)])


def _jitter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotate, zoom, shift and dim each digit a little: 1,437 digits are few."""
    n, size = images.shape[:2]
    angle, zoom = rng.uniform(-0.2, 0.2, (n, 1)), rng.uniform(0.85, 1.15, (n, 1))
    shift, contrast = rng.uniform(-5, 5, (2, n, 1)), rng.uniform(0.7, 1.0, (n, 1, 1, 1))
    row, column = np.divmod(np.arange(size * size), size) - (size - 1) / 2 * np.ones((2, 1))
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    source_row = cos * row - sin * column + shift[0] + (size - 1) / 2
    source_column = sin * row + cos * column + shift[1] + (size - 1) / 2
    inside = (np.abs(source_row - size / 2) < size / 2) & (np.abs(source_column - size / 2) < size / 2)
    rows, columns = (np.clip(np.rint(z), 0, size - 1).astype(int) for z in (source_row, source_column))
    moved = images[np.arange(n)[:, None], rows, columns] * inside[..., None]
    return (moved.reshape(images.shape) * contrast).astype(np.uint8)


class Tokeniser:
    """OpenCLIP's standard tokeniser at the mini-CLIPs' context length, with a cache of whole captions."""

    def __init__(self) -> None:
        length = MODEL_CONFIG["text_cfg"]["context_length"]
        self._tokenise = open_clip().SimpleTokenizer(context_length=length)
        self._known: dict[str, torch.Tensor] = {}

    def __call__(self, captions: list[str]) -> torch.Tensor:
        for caption in captions:
            if caption not in self._known:
                self._known[caption] = self._tokenise([caption])[0]
        return torch.stack([self._known[caption] for caption in captions])
