r"""Robustness by drawing perturbations and counting, for whatever can be drawn.

With a *shared* draw one perturbed gallery serves all queries, as in a real system whose index was perturbed
once. Each query's estimate is then as good as with draws of its own, but the estimates of different queries are
correlated: the standard error of their *mean* comes from the spread of the mean over draws, and may be far
larger than that of as many independent answers.
"""

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import as_tensor
from gapkit.errors import InputError
from gapkit.geometry.neighbours import (
    clean_answers,
    cost_block,
    prepare,
    stacked_answers,
    stacked_costs_and_answers,
)


@dataclass(frozen=True)
class Sampled:
    """Estimates per query with standard errors, and of their mean; ``answers`` are the clean ones."""

    values: Tensor
    std_error: Tensor
    mean_std_error: float
    answers: Tensor
    draws: int


def not_sampled(values: Float[Tensor, " m"], answers: Int[Tensor, " m"], *, draws: int = 0) -> Sampled:
    """Values that no chance enters."""
    return Sampled(values, torch.zeros_like(values), 0.0, answers, draws)


def monte_carlo(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    perturbation,
    *,
    metric: str,
    noise_on: str,
    draws: int,
    shared: bool,
    transform: Callable | None,
    generator: torch.Generator,
    memory: int,
) -> Sampled:
    """Share of draws in which each query keeps its clean answer.

    Parameters
    ----------
    y, x : raw queries and gallery, float64
    perturbation : has ``apply(rows, generator=...)``
    metric, noise_on : as in `gapkit.robustness`
    draws : number of perturbations; a deterministic perturbation is applied once
    shared : one perturbed gallery for all queries of a draw, or one for each query
    transform : applied to the gallery, clean or perturbed, before it is searched
    generator : source of the noise
    memory : bytes to stay below
    """
    deterministic = bool(getattr(perturbation, "deterministic", False))
    draws = 1 if deterministic else draws
    closed = _transformed(x, transform)
    clean_y, clean_x = prepare(y, closed, metric)
    answers = clean_answers(clean_y, clean_x, metric, memory=memory)
    stacked = _Stack(perturbation, generator, transform)
    if noise_on == "gallery" and not shared and not deterministic:
        hits = _independent(y, x, answers, stacked, metric, draws, memory)
        per_draw = None
    else:
        searched = x if noise_on == "gallery" else closed
        hits, per_draw = _shared(y, searched, answers, stacked, metric, noise_on, draws, memory)
    values = hits / draws
    if deterministic:
        return not_sampled(values, answers, draws=1)
    # One added hit and miss: never certain after finitely many draws.
    guess = (hits + 1) / (draws + 2)
    std_error = (guess * (1 - guess) / draws).sqrt()
    if per_draw is None:
        mean_error = float(std_error.square().sum().sqrt()) / len(y)
    else:
        mean_error = float(per_draw.std()) / math.sqrt(draws) if draws > 1 else math.nan
    return Sampled(values, std_error, mean_error, answers, draws)


class _Stack:
    """Several perturbed copies at once, in one stack where rows are perturbed each for itself."""

    def __init__(self, perturbation, generator: torch.Generator, transform: Callable | None) -> None:
        self.perturbation, self.generator, self.transform = perturbation, generator, _of_perturbed(transform)
        self.in_one = bool(getattr(perturbation, "per_row", False))

    def copies(
        self, rows: Float[Tensor, "n d"], count: int, *, transform: bool
    ) -> Float[Tensor, "{count} n d"]:
        if self.in_one:
            out = self._apply(rows.repeat(count, 1))
        else:
            out = torch.cat([self._apply(rows) for _ in range(count)])
        if transform:
            out = _transformed(out, self.transform)
        return out.view(count, len(rows), -1)

    def _apply(self, rows: Tensor) -> Tensor:
        out = self.perturbation.apply(rows, generator=self.generator)
        out = as_tensor(out, "the perturbed embeddings").to(rows.device)
        if out.shape != rows.shape:
            raise InputError(f"perturbation must keep the shape {tuple(rows.shape)}; got {tuple(out.shape)}")
        return out


def _of_perturbed(transform: Callable | None) -> Callable | None:
    """The transform as it is for perturbed rows: a closer is told that they are, and not new ones."""
    try:
        told = "perturbed" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # None, or something built in
        told = False
    return functools.partial(transform, perturbed=True) if told else transform


def _transformed(rows: Tensor, transform: Callable | None) -> Tensor:
    if transform is None:
        return rows
    out = as_tensor(transform(rows), "the transformed gallery").to(rows.device)
    if out.ndim != 2 or len(out) != len(rows):
        raise InputError(f"transform must give one row for each of {len(rows)}; got shape {tuple(out.shape)}")
    return out


def _shared(
    y: Tensor,
    x: Tensor,
    answers: Int[Tensor, " m"],
    stacked: _Stack,
    metric: str,
    noise_on: str,
    draws: int,
    memory: int,
) -> tuple[Float[Tensor, " m"], Float[Tensor, " draws"]]:
    m, k = len(y), len(x)
    hits = torch.zeros(m, dtype=torch.float64, device=y.device)
    per_draw = []
    noisy = x if noise_on == "gallery" else y
    together = max(1, min(draws, memory // (6 * 8 * noisy.numel() + 1), memory // (30 * m * k) + 1, 4096))
    for first in range(0, draws, together):
        count = min(together, draws - first)
        if noise_on == "gallery":
            copies = stacked.copies(x, count, transform=True).reshape(count * k, -1)  # (count · K, d')
            kept = _kept_among(*prepare(y, copies, metric), answers, metric, count, memory)
        else:
            copies = stacked.copies(y, count, transform=False).reshape(count * m, -1)
            own = clean_answers(*prepare(copies, x, metric), metric, memory=memory)
            kept = own.view(count, m) == answers  # (count, m)
        hits += kept.double().sum(0)
        per_draw.append(kept.double().mean(1))
    return hits, torch.cat(per_draw)


def _kept_among(
    y: Float[Tensor, "m d"], x: Float[Tensor, "ck d"], answers: Tensor, metric: str, count: int, memory: int
) -> Tensor:
    """(count, m): whether each query keeps its answer in each of ``count`` galleries stacked in ``x``."""
    step = max(1, memory // (40 * len(x)))
    kept = []
    for first in range(0, len(y), step):
        some = y[first : first + step]
        each = (part.view(len(some), count, -1).transpose(0, 1) for part in cost_block(some, x, metric))
        own = stacked_answers(*each, some[None], x.view(count, -1, x.shape[1]), metric)  # (count, b)
        kept.append(own == answers[first : first + step])
    return torch.cat(kept, 1)


def _independent(
    y: Tensor, x: Tensor, answers: Tensor, stacked: _Stack, metric: str, draws: int, memory: int
) -> Float[Tensor, " m"]:
    hits = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    together = max(1, min(len(y), memory // (8 * 8 * x.numel())))
    for first in range(0, len(y), together):
        part = slice(first, first + together)
        for _ in range(draws):
            galleries = stacked.copies(x, len(y[part]), transform=True)
            own = stacked_costs_and_answers(y[part, None], galleries, metric)[1][:, 0]
            hits[part] += own == answers[part]
    return hits
