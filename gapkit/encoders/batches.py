"""Images in batches, preprocessed here or in worker processes; unreadable ones come back as reasons.

OpenCLIP's own preprocessing is called as it is, behind a bound on what resizing may make of an image.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from gapkit._files import short_reason
from gapkit.datasets.images import has_hashes
from gapkit.errors import InputError

MOST_RESIZED = 50_000_000
"""Pixels after resizing: at 224 a side a line of 1 x 60,000, a file of 312 bytes, would be 3 billion."""
_SQUARE = 40  # times as long as wide; even at 1,000 a side that is within MOST_RESIZED


@dataclass(frozen=True)
class Batch:
    """Some images, ready for a model.

    Attributes
    ----------
    pixels : (b, 3, h, w) float32, or None if no image of the batch could be read
    faults : row -> why it could not be read
    hashes : row -> hash of the bytes that were read; empty where the images have none
    """

    pixels: torch.Tensor | None
    faults: dict[int, str]
    hashes: dict[int, str]


def batches(rows: range, batch_size: int) -> list[range]:
    """``rows`` in pieces.

    >>> batches(range(4, 9), 2)
    [range(4, 6), range(6, 8), range(8, 9)]
    """
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def read_batches(
    images: Sequence, preprocess: Callable, plan: list[range], *, workers: int = 0
) -> Iterator[Batch]:
    """The images of each range in ``plan``, in order, whatever the number of ``workers``."""
    prepared = _Prepared(images, preprocess)
    if workers == 0 or not plan:
        for some in plan:
            yield _read(prepared, some)
        return
    loader = torch.utils.data.DataLoader(
        prepared, batch_sampler=plan, num_workers=workers, collate_fn=_collate
    )
    try:
        yield from loader
    except RuntimeError as fault:
        if "worker" not in str(fault).lower():
            raise
        raise InputError(
            f"a worker process died ({str(fault).splitlines()[0][:100]}); too little memory? Use fewer workers"
        ) from fault


@torch.inference_mode()  # a little faster, and whoever encodes does it in this mode too
def _read(prepared: "_Prepared", rows: range) -> Batch:
    return _collate([prepared[row] for row in rows])


class _Prepared(torch.utils.data.Dataset):
    """The images, preprocessed, or the reasons why not; what DataLoader's workers see."""

    def __init__(self, images: Sequence, preprocess: Callable) -> None:
        self.images, self.preprocess = images, preprocess

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[int, str | None, torch.Tensor | str]:
        digest = None
        try:
            if has_hashes(self.images):
                digest, content = self.images.read(row)
                image = self.images.decode(row, content)
            else:
                image = self.images[row]
        except (InputError, MemoryError) as fault:
            return row, digest, str(fault) or f"{self._name(row)}: too little memory to read it"
        return row, digest, self._pixels(row, image)

    def _pixels(self, row: int, image) -> torch.Tensor | str:
        """The image as the model takes it, or why that cannot be."""
        width, height = image.size
        if too_stretched(self.preprocess, width, height):
            return (
                f"{self._name(row)} is too stretched: an image of {width} x {height} pixels "
                "would be enlarged without end"
            )
        try:
            return self.preprocess(image)
        except (ValueError, RuntimeError, ZeroDivisionError, MemoryError) as fault:
            what = f"cannot preprocess an image of {width} x {height} pixels"
            return f"{self._name(row)}: {what}: {short_reason(fault, 120)}"

    def _name(self, row: int) -> str:
        return self.images.names[row]


def _collate(items: list) -> Batch:
    pixels = [value for *_, value in items if isinstance(value, torch.Tensor)]
    faults = {row: value for row, _, value in items if isinstance(value, str)}
    hashes = {row: digest for row, digest, _ in items if digest is not None}
    return Batch(torch.stack(pixels) if pixels else None, faults, hashes)


def too_stretched(preprocess: Callable, width: int, height: int) -> bool:
    """Whether resizing an image of this size would make more than `MOST_RESIZED` pixels of it."""
    if max(width, height) <= _SQUARE * min(width, height):  # hardly any image is worth a closer look
        return False
    return _resized_pixels(preprocess, width, height) > MOST_RESIZED


def _resized_pixels(preprocess: Callable, width: int, height: int) -> float:
    """How many pixels an image has once its shorter side is the model's; 0 where that is not how it goes."""
    for step in getattr(preprocess, "transforms", ()):
        if not hasattr(step, "size"):
            continue
        size = step.size
        if isinstance(size, (tuple, list)):  # both sides given, or OpenCLIP's ResizeKeepRatio
            size = max(size) if getattr(step, "longest", 1) == 0 else 0
        return float(size**2) * max(width, height) / min(width, height)
    return 0.0
