"""Descending the contrastive loss on free embeddings against the products of matrices that each step needs.

Both have one thread, as in the lessons: for matrices so small a second one mostly waits for its core.
"""

from collections.abc import Iterator

import torch

from benchmarks.clock import best
from benchmarks.rows import Row
from gapkit.contrastive import simulate


def bare_steps(n: int, d: int, steps: int) -> None:
    """The similarities, both softmaxes and a gradient for each side, and nothing else."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in "xy")
    with torch.inference_mode():
        for _ in range(steps):
            s = x @ y.T
            pull = s.softmax(0) + s.softmax(1)
            x, y = x - 1e-6 * (pull @ y), y - 1e-6 * (pull.T @ x)


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """All rows."""
    steps, threads = 400 if quick else 4000, torch.get_num_threads()
    torch.set_num_threads(1)
    for kind, sphere in (("softmax", False), ("softmax", True), ("sigmoid", False)):
        found = best(
            {
                "ours": lambda kind=kind, sphere=sphere: simulate(
                    "cones", n=200, d=16, steps=steps, kind=kind, sphere=sphere
                ),
                "theirs": lambda: bare_steps(200, 16, steps),
            },
            repeats,
        )
        where = "on the sphere" if sphere else "free"
        what = f"{steps:,} steps, {kind}, {where}, 200 pairs, d=16"
        against = "the bare softmax steps"
        yield Row(what, found["ours"], against=against, other=found["theirs"], most_ratio=3)
    torch.set_num_threads(threads)
