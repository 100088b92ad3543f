"""Nearest neighbours, the operation every downstream task here comes down to.

Scores are computed in float64, by one matrix product, so that rounding float32 products does not flip answers.
Where the rounding error of that product, each candidate's own, leaves more than one candidate, these are compared
again by the differences themselves, which are as precise as the candidates are close. What then differs by
a few units in the last place is tied, and the lowest index wins a tie: duplicates in the gallery give one
and the same answer whatever their order of evaluation.
Large galleries take the road of `gapkit.geometry.galleries`.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, like, row_lengths, unit_rows
from gapkit.geometry import galleries
from gapkit.geometry.galleries import BLOCK_BYTES, EPS, Gallery, blocks, lead, queries_and_gallery

_MANY = 1
"""Ties a candidate from which it pays to look for rows that are alike."""
_CLOSE = 1e-3
"""Squares below this share of ‖x‖² + ‖y‖² have lost digits that the difference itself still has."""


def prepare(queries: ArrayInput, gallery: ArrayInput, metric: str) -> tuple[Tensor, Tensor]:
    """Both as float64 matrices in which ``cost_block`` can work: unit rows for the cosine, centred for Euclid."""
    y, x = queries_and_gallery(queries, gallery, metric)
    x = x.double()
    if metric == "cosine":
        return unit_rows(y, "queries"), unit_rows(x, "gallery")
    if metric == "euclidean":
        # A common translation changes no distance, and the smaller the rows, the smaller the rounding.
        centre = x.mean(0)
        return y - centre, x - centre
    return y, x


def stacked_costs_and_answers(
    y: Float[Tensor, "g b d"], x: Float[Tensor, "g k d"], metric: str
) -> tuple[Float[Tensor, "g b k"], Int[Tensor, "g b"]]:
    """Costs and answers in many galleries, each with its own queries, unprepared: both centred, or as unit rows."""
    if metric == "euclidean":
        centre = x.mean(-2, keepdim=True)
        y, x = y - centre, x - centre
    elif metric == "cosine":
        y, x = (z / row_lengths(z)[..., None] for z in (y, x))
    costs, tie = cost_block(y, x, metric)
    return costs, stacked_answers(costs, tie, y, x, metric)


def cost_block(
    y: Float[Tensor, "*g b d"], x: Float[Tensor, "*g k d"], metric: str
) -> tuple[Float[Tensor, "*g b k"], Float[Tensor, "*g b k"]]:
    """Costs (smaller is nearer; up to a constant per query) and the rounding error of each, its candidate's own."""
    lengths = torch.linalg.vector_norm(x, dim=-1)[..., None, :]
    costs = y @ x.mT
    costs = costs.mul_(-2).add_(lengths.square()) if metric == "euclidean" else costs.neg_()
    query_lengths = row_lengths(y)[..., None]  # (…, b, 1)
    # A product alone is off by its own size, however much shorter the query is than the candidate.
    size = 2 * query_lengths if metric == "dot" else query_lengths + lengths  # (b, 1) or (b, k)
    return costs, size * (lengths * (4 * EPS * x.shape[1] ** 0.5))


def answers_within(costs: Float[Tensor, "*s k"], tie: Float[Tensor, "*s k"]) -> Int[Tensor, "*s"]:
    """The least cost; among those that tie with it, the lowest index."""
    return _first(_within(costs, tie))


def answers_of(
    costs: Float[Tensor, "b k"],
    tie: Float[Tensor, "b k"],
    y: Float[Tensor, "b d"],
    x: Float[Tensor, "k d"],
    metric: str,
) -> Int[Tensor, " b"]:
    """The nearest candidates, given what `cost_block` says; where it leaves several, from `leads_over` the first."""
    within = _within(costs, tie)
    answers = _first(within)
    several = (within.sum(1) > 1).nonzero()[:, 0]
    if len(several) == 0:
        return answers
    within = within[several]
    if int(within.sum()) > _MANY * len(x):
        # Of rows that are alike bit by bit the first one stands for all: their leads are the same, and it wins; but not
        # where it is not asked about, and costs infinity.
        first, (rows, columns) = first_alike(x), within.nonzero(as_tuple=True)
        asked = costs[several][rows, first[columns]] < torch.inf
        within = torch.zeros_like(within)
        within[rows, torch.where(asked, first[columns], columns)] = True
    leads, errors = leads_over(answers[several], within, y[several], x, metric)
    answers[several] = answers_within(leads, errors)
    return answers


def stacked_answers(
    costs: Float[Tensor, "g b k"],
    tie: Float[Tensor, "g b k"],
    y: Float[Tensor, "#g b d"],
    x: Float[Tensor, "g k d"],
    metric: str,
) -> Int[Tensor, "g b"]:
    """`answers_of` in many galleries, prepared; only where products leave several candidates one by one."""
    within = _within(costs, tie)
    answers = _first(within)
    for g in (within.sum(-1) > 1).any(-1).nonzero()[:, 0].tolist():
        answers[g] = answers_of(costs[g], tie[g], y[g % len(y)], x[g], metric)
    return answers


def first_alike(x: Float[Tensor, "k d"]) -> Int[Tensor, " k"]:
    """For each row the lowest index of a row that is the same.

    >>> first_alike(torch.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]], dtype=torch.float64)).tolist()
    [0, 1, 0]
    """
    group = x.unique(dim=0, return_inverse=True)[1]
    index = torch.arange(len(x), device=x.device)
    return torch.full_like(index, len(x)).scatter_reduce_(0, group, index, "amin")[group]


def leads_over(
    reference: Int[Tensor, " b"],
    chosen: Bool[Tensor, "b k"],
    y: Float[Tensor, "b d"],
    x: Float[Tensor, "k d"],
    metric: str,
) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k"]]:
    """How much each ``chosen`` candidate costs above the ``reference``, and the rounding error of that; else infinity and 0.

    With the reference f, ‖x_c − y‖² − ‖x_f − y‖² = (x_c − x_f)·((x_c − y) + (x_f − y)): as precise as either factor
    is small, so both for a query on top of a candidate and for twins far away.
    """
    rows, columns = chosen.nonzero(as_tuple=True)
    leads = torch.full(chosen.shape, torch.inf, dtype=y.dtype, device=y.device)
    errors = torch.zeros_like(leads)
    for part in blocks(len(rows), 64 * y.shape[1]):
        r, c = rows[part], columns[part]
        leads[r, c], errors[r, c] = lead(y[r], x[reference[r]], x[c], metric)
    return leads, errors


def order_about(
    reference: Int[Tensor, " b"],
    costs: Float[Tensor, "b k"],
    tie: Float[Tensor, "b k"],
    y: Float[Tensor, "b d"],
    x: Float[Tensor, "k d"],
    metric: str,
) -> Float[Tensor, "b k"]:
    """What each candidate costs above the ``reference``, and 0 where `answers_of` would call them tied.

    So a candidate comes before the reference where this is negative, or is 0 and its index is lower.
    """
    column = reference[:, None]  # (b, 1)
    above = costs - costs.gather(1, column)
    undecided = above.abs() <= tie + tie.gather(1, column)
    several = (undecided.sum(1) > 1).nonzero()[:, 0]
    above.masked_fill_(undecided, 0)
    if len(several) == 0:
        return above
    close, first = undecided[several], column[several]
    leads, errors = leads_over(first[:, 0], close, y[several], x, metric)
    leads = torch.where(leads.abs() <= errors + errors.gather(1, first), 0, leads)
    if metric == "cosine":
        leads = leads / 2  # squared chords of unit rows differ by twice the cosines
    above[several] = torch.where(close, leads, above[several])
    return above


def _first(within: Tensor) -> Int[Tensor, "*s"]:
    """The lowest index of those that are left."""
    return within.to(torch.uint8).argmax(-1)


def _within(costs: Float[Tensor, "*s k"], tie: Float[Tensor, "*s k"]) -> Bool[Tensor, "*s k"]:
    return costs - tie <= (costs + tie).amin(-1, keepdim=True)


def clean_answers(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str, *, memory: int = BLOCK_BYTES
) -> Int[Tensor, " m"]:
    """Nearest candidate of each query, both sides prepared for the metric; ``memory`` bytes at once."""
    parts = y.split(max(1, memory // (40 * len(x) + 8 * y.shape[1])))
    return torch.cat([answers_of(*cost_block(part, x, metric), part, x, metric) for part in parts])


def squares_and_answers(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str
) -> tuple[Float[Tensor, "m k"], Int[Tensor, " m"]]:
    """‖x_k − y‖² and the answers, both sides prepared for the metric (unit rows for the cosine).

    ‖x‖² + ‖y‖² − 2 x·y loses the digits by which ‖x‖² exceeds it; for close pairs the difference itself is taken.
    """
    costs, tie = cost_block(y, x, metric)
    answers = answers_of(costs, tie, y, x, metric)
    of_query, of_row = y.square().sum(1, keepdim=True), x.square().sum(1)  # (m, 1), (k,)
    squares = costs.mul_(2).add_(of_query + of_row) if metric == "cosine" else costs.add_(of_query)
    _again_where_close(squares.clamp_min_(0), of_query + of_row, y, x, -1)
    return squares, answers


def _again_where_close(
    squares: Float[Tensor, "m k"],
    sizes: Float[Tensor, "m k"],
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    sign: int,
) -> None:
    """Put ‖y ± x‖² itself where the products that ``squares`` are made of cancel."""
    rows, columns = (squares < _CLOSE * sizes).nonzero(as_tuple=True)
    for part in blocks(len(rows), 16 * y.shape[1]):
        r, c = rows[part], columns[part]
        squares[r, c] = (y[r] + sign * x[c]).square().sum(1)


def distances_from(answers: Int[Tensor, " m"], x: Float[Tensor, "k d"]) -> Float[Tensor, "m k"]:
    """‖x_j − x_i‖ from each query's answer i to every candidate j."""
    used, where = answers.unique(return_inverse=True)
    return squares_and_answers(x[used], x, "euclidean")[0].sqrt()[where]


def margins_and_answers(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str
) -> tuple[Float[Tensor, "m k"], Int[Tensor, " m"]]:
    """The answer's dot product minus each candidate's, or half the lead of its squared distance; and the answers."""
    if metric == "dot":
        costs, tie = cost_block(y, x, metric)
        answers = answers_of(costs, tie, y, x, metric)
    else:
        squares, answers = squares_and_answers(y, x, metric)
        costs = squares.div_(2)
    return costs.sub_(costs.gather(1, answers[:, None])), answers


def angles_from(
    squares: Float[Tensor, "m k"], y: Float[Tensor, "m d"], x: Float[Tensor, "k d"]
) -> Float[Tensor, "m k"]:
    r"""Angles between unit rows from squared chords, right to a few units of 1e-16 from 0 to π.

    .. math:: \theta = 2 \operatorname{atan2}(\|u - v\|, \|u + v\|), \qquad
        \|u + v\|^2 = 2\|u\|^2 + 2\|v\|^2 - \|u - v\|^2 .

    An arc cosine loses half of the digits at both ends, an arc sine of the chord at π. ``squares`` are those of
    `squares_and_answers`, with all their digits at small angles; for opposite pairs the sum itself is taken.
    """
    both = 2 * (y.square().sum(1, keepdim=True) + x.square().sum(1))
    opposite = (both - squares).clamp_min_(0)
    _again_where_close(opposite, both, y, x, 1)
    return torch.atan2(squares.sqrt(), opposite.sqrt_()).mul_(2)


def nearest(queries: ArrayInput, gallery: ArrayInput, *, metric: str = "euclidean") -> ArrayLike:
    r"""Index of each query's nearest gallery row, :math:`\mathrm{NN}(y, X) = \arg\min_i \|x_i - y\|`.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    metric : ``"euclidean"`` (least distance), ``"dot"`` (largest product) or ``"cosine"`` (largest cosine)

    Returns
    -------
    (m,) int64, of the kind that came in; ties go to the lowest index

    Raises
    ------
    InputError
        If shapes do not fit, something is not finite, or a row is zero under the cosine.

    Examples
    --------
    >>> nearest([[0.9, 0.1], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    array([1, 0])
    """
    y, x = queries_and_gallery(queries, gallery, metric)
    if len(x) >= galleries.LARGE:
        answers = Gallery.of(x, y, metric).nearest(y)
    else:
        answers = clean_answers(*prepare(y, x, metric), metric)
    return like(answers, queries, gallery)
