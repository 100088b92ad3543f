r"""Certified radii: perturbations that provably cannot change the answer, and are the largest such.

Let i be the answer, j any other candidate, :math:`D_k = \|x_k - y\|`. In every case an answer changes when some j
catches up with i, so the radius is a minimum over pairs, and each pair is a small extremal problem.

**Euclidean.** A row moved by r changes its distance by at most r (triangle inequality), and by exactly r along the line to y.

* one row: j comes nearer, or i goes away, by :math:`D_j - D_i`;
* every row by at most r: both happen, each needs half of it;
* all rows jointly, :math:`\|\varepsilon\|_F \le r`: :math:`\min r_i^2 + r_j^2` subject to :math:`r_i + r_j = D_j - D_i`, which is
  :math:`(D_j - D_i)^2/2`;
* the query: :math:`\|x_j - y\|^2 - \|x_i - y\|^2` is linear in y with gradient :math:`2(x_i - x_j)`, so y is at distance
  :math:`(D_j^2 - D_i^2)/(2\|x_j - x_i\|)` from the boundary between i and j.

**Dot product.** A row moved by r changes its score by at most :math:`r\|y\|` (Cauchy–Schwarz), with equality along ±y. With
:math:`\Delta_j = y \cdot (x_i - x_j)` the same reasoning gives :math:`\Delta_j/\|y\|`, half of it, and it over √2; the query is at
distance :math:`\Delta_j/\|x_i - x_j\|` from the boundary, a hyperplane through the origin.

**Cosine.** With angles :math:`\theta_k` to y and :math:`N_k = \|x_k\|`: a ball of radius :math:`r < N_k` around :math:`x_k` is seen from the
origin under the angle :math:`\arcsin(r/N_k)` to every side; at :math:`r = N_k` it holds the origin, and every direction. So turning
row k by an angle β takes :math:`N_k \sin(\min(\beta, \pi/2))`. With :math:`\beta = \theta_j - \theta_i`

* one row: :math:`\min(N_i, N_j) \sin(\min(\beta, \pi/2))`;
* every row: :math:`\arcsin(r/N_i) + \arcsin(r/N_j) = \beta`, solved by the height of a triangle with sides :math:`N_i, N_j` and
  the angle π − β between them, :math:`r = N_i N_j \sin\beta / \sqrt{N_i^2 + N_j^2 + 2 N_i N_j \cos\beta}`, as long as both arcs are below π/2;
  else :math:`\min(N_i, N_j)`;
* jointly: :math:`\min N_i^2 \sin^2\alpha + N_j^2 \sin^2(\beta - \alpha)` over α is
  :math:`\tfrac12\bigl(N_i^2 + N_j^2 - \sqrt{N_i^4 + N_j^4 + 2 N_i^2 N_j^2 \cos 2\beta}\bigr)` for β ≤ π/2, and :math:`\min(N_i^2, N_j^2)` beyond;
* the query: the boundary is the hyperplane :math:`y \cdot (x_i/N_i - x_j/N_j) = 0`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, like, row_lengths
from gapkit._options import LARGEST_SEED, Number, check_choice, check_whole
from gapkit.geometry import galleries, neighbours
from gapkit.geometry.galleries import Gallery, queries_and_gallery

PERTURBED = ("one row", "each row", "all rows", "query")
_PAIR_BYTES = 120


def certified_radius(
    queries: ArrayInput,
    gallery: ArrayInput,
    *,
    metric: str = "euclidean",
    perturbed: str = "one row",
    memory_limit: Number = 2**28,
) -> ArrayLike:
    r"""The size of perturbation below which each query's answer provably cannot change.

    Any perturbation of length below the radius keeps the answer, and there is one just above it that does not. With D₁ ≤ D₂
    the two least distances, under the Euclidean metric the radius is

    .. math:: D_2 - D_1, \quad \tfrac12 (D_2 - D_1), \quad \tfrac1{\sqrt2} (D_2 - D_1), \quad
        \min_j \frac{D_j^2 - D_1^2}{2\|x_j - x_1\|}

    for one row, each row, all rows and the query; the others are derived, like these, in `gapkit.robustness.certified`.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    metric : "euclidean", "dot" or "cosine"
    perturbed : what is perturbed, and how its length is taken
        "one row" (any single gallery row moves, by its length), "each row" (every row moves, by at most the radius each),
        "all rows" (Frobenius norm of the whole change) or "query"
    memory_limit : bytes that the computation may take besides its input

    Returns
    -------
    (m,) float64 ≥ 0, of the kind that came in: 0 at a tie that a change can break, infinity where nothing can change

    Raises
    ------
    InputError
        If the input does not fit together, or a row is zero under the cosine.

    Examples
    --------
    >>> certified_radius([[0.0, 0.0]], [[1.0, 0.0], [0.0, 3.0]])
    array([2.])
    >>> certified_radius([[2.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], metric="dot", perturbed="query").round(4)
    array([0.7071])
    """
    check_choice(perturbed, "perturbed", PERTURBED)
    memory = check_whole(memory_limit, "memory_limit", most=LARGEST_SEED)
    y, x = queries_and_gallery(queries, gallery, metric)
    if len(x) < galleries.LARGE:
        return like(_dense(y, x, metric, perturbed, memory), queries, gallery)
    # The answers, which win ties where they come first, among one block of rivals at a time: the least of the radii counts.
    answers = Gallery.of(x, y, metric).nearest(y)
    radii = torch.full_like(y[:, 0], math.inf)
    for part in torch.arange(len(y), device=y.device).split(galleries.BLOCK):
        first = answers[part].unique()
        for rows in torch.arange(len(x), device=y.device).split(4 * galleries.BLOCK):
            some = x[torch.cat([first, rows[~torch.isin(rows, first)]])].double()
            radii[part] = torch.minimum(radii[part], _dense(y[part], some, metric, perturbed, memory))
    return like(radii, queries, gallery)


def _dense(
    y: Float[Tensor, "m d"], x: Float[Tensor, "k d"], metric: str, perturbed: str, memory: int
) -> Float[Tensor, " m"]:
    lengths, raw = row_lengths(x), row_lengths(y)
    y, x = neighbours.prepare(y, x, metric)
    step = max(1, memory // (_PAIR_BYTES * len(x)))
    parts = zip(y.split(step), raw.split(step), strict=True)
    return torch.cat([_block(some, x, lengths, of, metric, perturbed) for some, of in parts])


def _block(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    lengths: Float[Tensor, " k"],
    raw: Float[Tensor, " m"],
    metric: str,
    perturbed: str,
) -> Float[Tensor, " m"]:
    """Radii of a block of prepared queries; ``lengths`` and ``raw`` are those of gallery and queries as they came."""
    part = {"one row": 1.0, "each row": 0.5, "all rows": math.sqrt(0.5)}
    if perturbed == "query" or metric == "dot":
        margins, answers = neighbours.margins_and_answers(y, x, metric)
        far = raw[:, None] / part[perturbed] if perturbed in part else neighbours.distances_from(answers, x)
        radii = margins / far * (raw[:, None] if metric == "cosine" else 1)
        # Duplicates of the answer, which no query prefers to each other; or a query of no length.
        radii[radii.isnan() | radii.isinf()] = math.inf
    else:
        squares, answers = neighbours.squares_and_answers(y, x, metric)
        answer = answers[:, None]  # (m, 1)
        if metric == "cosine":
            angles = neighbours.angles_from(squares, y, x)
            radii = _turning(angles - angles.gather(1, answer), lengths[answer], lengths, perturbed)
        else:  # D_j − D_i, from squares that lose no digits
            together = squares.sqrt() + squares.gather(1, answer).sqrt()
            way = (squares - squares.gather(1, answer)) / torch.where(together > 0, together, 1)
            radii = way * part[perturbed]
    return radii.scatter(1, answers[:, None], math.inf).amin(1).clamp_min(0)


def _turning(
    beta: Float[Tensor, "m k"],
    answer_length: Float[Tensor, "m 1"],
    rival_length: Float[Tensor, " k"],
    perturbed: str,
) -> Float[Tensor, "m k"]:
    """Least movement of the answer and of a rival that turns them towards each other by β altogether."""
    beta = beta.clamp(0, math.pi)
    shorter, longer = (pick(answer_length, rival_length) for pick in (torch.minimum, torch.maximum))
    if perturbed == "one row":
        return shorter * beta.clamp_max(math.pi / 2).sin()
    if perturbed == "each row":
        # The shorter row turns farther; its arc reaches π/2 first, when the longer one's is arcsin(shorter/longer).
        both = torch.sqrt(shorter**2 + longer**2 + 2 * shorter * longer * beta.cos())
        within = beta <= math.pi / 2 + (shorter / longer).asin()
        return torch.where(within & (both > 0), shorter * longer * beta.sin() / both, shorter)
    # N_i⁴ + N_j⁴ + 2 N_i² N_j² cos 2β = (N_i² + N_j²)² − (2 N_i N_j sin β)²; the difference of roots without cancelling.
    total, cross = shorter**2 + longer**2, 2 * shorter * longer * beta.sin()
    least = cross**2 / (2 * (total + (total**2 - cross**2).clamp_min(0).sqrt()))
    return torch.where(beta <= math.pi / 2, least.sqrt(), shorter)
