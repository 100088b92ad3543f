"""Images in batches, preprocessed here or in worker processes; unreadable ones come back as reasons."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from gapkit.errors import InputError


@dataclass(frozen=True)
class Batch:
    """Some images, ready for a model.

    Attributes
    ----------
    pixels : (b, 3, h, w) float32, or None if no image of the batch could be read
    faults : row -> why it could not be read
    """

    pixels: torch.Tensor | None
    faults: dict[int, str]


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
    if workers == 0 or not plan:
        for some in plan:
            yield _collate([_prepared(images, preprocess, row) for row in some])
        return
    loader = torch.utils.data.DataLoader(
        _Prepared(images, preprocess), batch_sampler=plan, num_workers=workers, collate_fn=_collate
    )
    try:
        yield from loader
    except RuntimeError as fault:
        if "worker" not in str(fault).lower():
            raise
        raise InputError(
            f"a worker process died ({str(fault).splitlines()[0][:100]}); too little memory? Use fewer workers"
        ) from fault


class _Prepared(torch.utils.data.Dataset):
    """What DataLoader's workers see: the images, preprocessed."""

    def __init__(self, images: Sequence, preprocess: Callable) -> None:
        self.images, self.preprocess = images, preprocess

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int):
        return _prepared(self.images, self.preprocess, row)


def _prepared(images: Sequence, preprocess: Callable, row: int):
    try:
        image = images[row]
    except InputError as fault:
        return row, str(fault)
    try:
        return row, preprocess(image)
    except (ValueError, RuntimeError, ZeroDivisionError) as fault:  # an image of 1 x 40,000 pixels, say
        reason = " ".join(str(fault).split())[:120]
        return row, f"cannot preprocess an image of {image.width} x {image.height} pixels: {reason}"


def _collate(items: list) -> Batch:
    pixels = [value for _, value in items if isinstance(value, torch.Tensor)]
    faults = {row: value for row, value in items if isinstance(value, str)}
    return Batch(torch.stack(pixels) if pixels else None, faults)
