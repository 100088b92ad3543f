"""Galleries of ten thousand to a million rows: left where and as they are, and read in blocks.

A memory map stays on the disk and half precision stays half: only a block of rows at a time is float64, centred, so that
‖x‖² + ‖y‖² − 2 x·y cancels little, and then float32 for the product with all queries. No (m, K) matrix is ever held. What
float32's rounding leaves open, float64 decides: the few pairs that may be the answer are computed again, by differences.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import ArrayInput, as_matrix, check_directions, check_same_width, check_scale, row_lengths
from gapkit._options import check_choice

METRICS = ("euclidean", "dot", "cosine")
BLOCK_BYTES = 2**26
LARGE = 10_000
"""Galleries of at least so many rows are read in blocks."""
BLOCK = 1024
"""Rows of such a block."""
MOST_PAIRS = 2**22
"""Pairs that one block of queries keeps; of more, its halves do."""
EPS = torch.finfo(torch.float64).eps


def blocks(length: int, row_bytes: int) -> Iterator[slice]:
    """Slices of a range whose rows take at most ``BLOCK_BYTES`` together."""
    step = max(1, BLOCK_BYTES // max(row_bytes, 1))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def lead(
    query: Float[Tensor, "p d"], first: Float[Tensor, "p d"], other: Float[Tensor, "p d"], metric: str
) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"]]:
    """How much ``other`` costs above ``first``, and the rounding error of that; see `leads_over`."""
    apart = other - first
    if metric == "dot":
        way, rounding = -query, 0.0
    else:
        way = (other - query) + (first - query)
        # Rows that were centred, or divided by their length, are off by ε times their length.
        rounding = EPS * (row_lengths(query) + row_lengths(other))
    far, wide = row_lengths(apart), row_lengths(way)
    return (apart * way).sum(1), 4 * (EPS * far * wide + rounding * (far + wide + rounding))


def queries_and_gallery(
    queries: ArrayInput, gallery: ArrayInput, metric: str
) -> tuple[Float[Tensor, "m d"], Float[Tensor, "k d"]]:
    """The queries in float64, and the gallery, too, but where it is large in its own precision; all checked, and the metric."""
    check_choice(metric, "metric", METRICS)
    y = as_matrix(queries, "queries", shape="(m, d)")
    x = as_matrix(gallery, "gallery", shape="(K, d)", dtype=None, finite=False).to(y.device)
    x = x.double() if len(x) < LARGE else x
    for part in x.split(max(LARGE, BLOCK)):
        check_scale(part.double(), "gallery")
    check_same_width(y, "queries", x, "gallery")
    return y, x


@dataclass(frozen=True)
class Gallery:
    """A large gallery in any precision, and what makes costs a product of rows that float32 can hold.

    ``centre`` is taken off its rows (but for the cosine, which takes unit rows); ``lengths`` are then theirs, and
    ``size`` divides both sides.
    """

    rows: Float[Tensor, "k d"]
    metric: str
    centre: Float[Tensor, " d"]
    lengths: Float[Tensor, " k"]
    size: float

    @classmethod
    def of(cls, rows: Float[Tensor, "k d"], y: Float[Tensor, "m d"], metric: str) -> "Gallery":
        centre = torch.zeros_like(y[0])
        if metric != "cosine":
            for part in rows.split(BLOCK):
                centre += part.sum(0, dtype=torch.float64) / len(rows)
        # Filled in place: small results kept between large buffers would leave the heap full of holes.
        lengths = torch.empty(len(rows), dtype=torch.float64, device=y.device)
        for part, of in zip(rows.split(BLOCK), lengths.split(BLOCK), strict=True):
            of.copy_(row_lengths(part - centre))
        if metric == "cosine":
            check_directions(y, "queries")
            check_directions(lengths[:, None], "gallery")
            return cls(rows, metric, centre, lengths, 1.0)
        size = float(lengths.max())
        if metric == "euclidean":
            size = max(size, float(row_lengths(y - centre).max()))
        return cls(rows, metric, centre, lengths, size or 1.0)

    def take(self, index: slice | Int[Tensor, " p"], *, raw: bool = False) -> Float[Tensor, "p d"]:
        """Rows in float64, centred and divided by ``size``, or for the cosine by their lengths.

        Under the dot product centring leaves differences as they are, but for rounding: ``raw`` does without.
        """
        if self.metric == "cosine":
            return self.rows[index] / self.lengths[index, None]
        if raw and self.metric == "dot":
            return self.rows[index].double() / self.size
        return (self.rows[index] - self.centre).div_(self.size)

    def queries(self, y: Float[Tensor, "m d"]) -> Float[Tensor, "m d"]:
        """The other side: queries in the coordinates of `take` (as unit rows where only their direction counts)."""
        if self.metric == "euclidean":
            return (y - self.centre) / self.size
        lengths = row_lengths(y)[:, None]
        return y / torch.where(lengths > 0, lengths, 1)

    def factors(
        self, y: Float[Tensor, "m d"], scale: float | Float[Tensor, " m"] = 1.0, offset: float = 0.0
    ) -> tuple[Float[Tensor, "m r"], Float[Tensor, " m"]]:
        """Rows whose products with those of `blocks` are ``scale`` times the costs plus ``offset``; their typical rounding.

        Costs are squared distances, or products with the sign turned. Rounding is in units of ε; measured, it is 0.12 of this on average, and at most 1.4: 4 √d times this bounds it.
        """
        if self.metric == "euclidean":
            square = y.square().sum(1, keepdim=True)
            factors = scale * torch.cat([-2 * y, torch.ones_like(square), square], 1)
            factors[:, -1] += offset
            return factors, scale * (1 + square[:, 0].sqrt()).square() + offset
        factors = -y * torch.as_tensor(scale, dtype=y.dtype, device=y.device).view(-1, 1)
        return factors, row_lengths(factors)

    def nearest(self, y: Float[Tensor, "m d"]) -> Int[Tensor, " m"]:
        """Answers of queries as they came."""
        y = self.queries(y)
        factors, rounding = self.factors(y)
        answers = torch.empty_like(rounding, dtype=torch.int64)

        def solve(part: Tensor, dtype: torch.dtype) -> Tensor:
            near, slack = None, slack_of(rounding[part], y[part], dtype)
            for start, costs, best in cost_blocks(factors[part], self, dtype):
                near = join(near, pairs_upto(best + slack, costs, start), best + slack)
                if len(near[0]) > MOST_PAIRS and len(part) > 1:
                    return part
            answers[part] = decide(*near[:2], y[part], self)[0]
            return part[:0]

        every = torch.arange(len(y), device=y.device)
        in_parts(solve, every.split(max(1, BLOCK_BYTES // (16 * BLOCK))))
        return answers

    def blocks(self, dtype: torch.dtype) -> Iterator[tuple[int, Float[Tensor, "b r"]]]:
        """Where each block begins, and the rows that `factors` are multiplied with."""
        for start in range(0, len(self.rows), BLOCK):
            x = self.take(slice(start, start + BLOCK)).to(dtype)
            if self.metric == "euclidean":
                length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float64)
                square = length.square().to(dtype)
                x = torch.cat([x, square, torch.ones_like(square)], 1)
            yield start, x


def cost_blocks(
    factors: Float[Tensor, "m r"], gallery: Gallery, dtype: torch.dtype
) -> Iterator[tuple[int, Float[Tensor, "m b"], Float[Tensor, " m"]]]:
    """Block by block: where it begins, the costs of its candidates, and the least costs so far."""
    factors = factors.to(dtype)
    best = torch.full_like(factors[:, 0], torch.inf)
    for start, x in gallery.blocks(dtype):
        costs = factors @ x.T
        best = torch.minimum(best, costs.amin(1))
        yield start, costs, best


def pairs_upto(
    bound: Float[Tensor, " m"], costs: Float[Tensor, "m b"], start: int
) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, " p"]]:
    """Queries, candidates and costs of the pairs in a block that cost no more than each query's ``bound``."""
    bound = bound.to(costs.dtype)
    queries = (costs.amin(1) <= bound).nonzero()[:, 0]
    costs = costs[queries]
    flat = (costs <= bound[queries, None]).view(-1).nonzero()[:, 0]
    rows = flat.div(costs.shape[1], rounding_mode="floor")
    return queries[rows], flat - rows * costs.shape[1] + start, costs.view(-1)[flat]


Pairs = tuple[Tensor, Tensor, Tensor]
"""Queries, candidates and costs, (p,) each."""


def join(kept: Pairs | None, found: Pairs, bound: Float[Tensor, " m"]) -> Pairs:
    """Both, as far as they cost no more than each query's ``bound``."""
    rows, columns, costs = found if kept is None else map(torch.cat, zip(kept, found, strict=True))
    inside = costs <= bound[rows]
    return rows[inside], columns[inside], costs[inside]


def slack_of(
    rounding: Float[Tensor, " m"], y: Float[Tensor, "m d"], dtype: torch.dtype
) -> Float[Tensor, " m"]:
    """A bound of the rounding of a difference of two costs; ``rounding`` is that of `Gallery.factors`."""
    return rounding * (8 * y.shape[1] ** 0.5 * torch.finfo(dtype).eps)


def in_parts(solve: Callable[[Tensor, torch.dtype], Tensor], parts: Iterable[Tensor]) -> None:
    """Call ``solve`` with each part in float32; what queries it gives back come again, in float64, then in halves."""
    todo = [(part, torch.float32) for part in parts]
    while todo:
        part, dtype = todo.pop()
        left = solve(part, dtype)
        if len(left):
            todo += [(some, torch.float64) for some in left.chunk(1 if dtype == torch.float32 else 2)]


def decide(
    rows: Int[Tensor, " p"], columns: Int[Tensor, " p"], y: Float[Tensor, "m d"], gallery: Gallery
) -> tuple[Int[Tensor, " m"], Float[Tensor, " p"]]:
    """Each query's answer among the pairs, of those that tie the lowest index; and all pairs' costs in float64.

    Costs are squares of the differences themselves (of unit rows for the cosine), or products with the sign turned.
    """

    def least(values: Tensor, of: Tensor) -> Tensor:
        most = torch.inf if values.is_floating_point() else len(gallery.rows)
        start = torch.full((len(y),), most, dtype=values.dtype, device=y.device)
        return start.scatter_reduce(0, of, values, "amin")

    costs = torch.empty_like(rows, dtype=y.dtype)
    for part in blocks(len(rows), 24 * y.shape[1]):
        query, x = y[rows[part]], gallery.take(columns[part])
        costs[part] = -(query * x).sum(1) if gallery.metric == "dot" else (query - x).square().sum(1)
    best = least(costs, rows)
    close = (costs <= (best + 1e-9 * (1 + row_lengths(y)).square())[rows]).nonzero()[:, 0]
    close = close[(torch.bincount(rows[close], minlength=len(y)) > 1)[rows[close]]]
    nearest = costs == best[rows]
    answers = least(columns[nearest], rows[nearest])
    if len(close):
        rows, columns = rows[close], columns[close]
        leads, errors = torch.empty_like(costs[close]), torch.empty_like(costs[close])
        for part in blocks(len(rows), 64 * y.shape[1]):
            first, other = (gallery.take(index, raw=True) for index in (answers[rows[part]], columns[part]))
            leads[part], errors[part] = lead(y[rows[part]], first, other, gallery.metric)
        within = leads - errors <= least(leads + errors, rows)[rows]
        answers[rows] = least(columns[within], rows[within])[rows]
    return answers, costs
