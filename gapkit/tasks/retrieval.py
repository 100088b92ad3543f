"""Retrieval: recall at k in both directions, and which gallery rows are hubs."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gapkit._arrays import ArrayInput, ArrayLike, as_index, as_matrix, like, off_mps
from gapkit._options import check_whole, one_line
from gapkit.errors import InputError
from gapkit.geometry.neighbours import answers_of, blocks, cost_block, order_about, prepare
from gapkit.geometry.orthogonality import as_whole_numbers


def retrieval_ranks(
    queries: ArrayInput, gallery: ArrayInput, *, targets: Any = None, metric: str = "euclidean"
) -> ArrayLike:
    """Rank of each query's target in its list of results, 0 for the first.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    targets : what counts as found. None: gallery row i for query i. A pair of integer vectors ``(query_ids,
        gallery_ids)``: any gallery row with the query's id (several captions of one image); the best one counts
    metric : ``"euclidean"``, ``"dot"`` or ``"cosine"``

    Returns
    -------
    (m,) int64 ranks; ties go to the lower index. Rank 0 is where `nearest` names the target

    Raises
    ------
    InputError
        If shapes do not fit, or a query has no target.

    Examples
    --------
    >>> retrieval_ranks([[0.0], [1.0]], [[0.2], [0.3]])
    array([0, 0])
    """
    y, x = prepare(queries, gallery, metric)
    if targets is None:
        if len(x) != len(y):
            rows = f"got {len(y)} queries and {len(x)} rows"
            raise InputError(f"without targets, gallery row i is the target of query i; {rows}")
        query_ids = gallery_ids = torch.arange(len(y), device=y.device)
    else:
        if not isinstance(targets, tuple | list) or len(targets) != 2:
            raise InputError(f"targets must be (query_ids, gallery_ids), or None; got {one_line(targets)}")
        query_ids = as_whole_numbers(targets[0], "query_ids").to(y.device)
        gallery_ids = as_whole_numbers(targets[1], "gallery_ids").to(y.device)
        if len(query_ids) != len(y) or len(gallery_ids) != len(x):
            got = f"got {len(query_ids)} and {len(gallery_ids)}"
            raise InputError(f"targets must name {len(y)} queries and {len(x)} gallery rows; {got}")
        orphan = ~torch.isin(query_ids, gallery_ids)
        if orphan.any():
            raise InputError(f"query {int(orphan.nonzero()[0, 0])} has no target in the gallery")
    return like(_ranks(y, x, query_ids, gallery_ids, metric), queries, gallery)


def _ranks(
    y: Float[Tensor, "m d"],
    x: Float[Tensor, "k d"],
    query_ids: Int[Tensor, " m"],
    gallery_ids: Int[Tensor, " k"],
    metric: str,
) -> Int[Tensor, " m"]:
    ranks = torch.empty(len(y), dtype=torch.int64, device=y.device)
    index = torch.arange(len(x), device=y.device)
    for block in blocks(len(y), len(x) * 8 * 8):
        costs, tie = cost_block(y[block], x, metric)
        wanted = query_ids[block, None] == gallery_ids
        answers = answers_of(costs, tie, y[block], x, metric)
        best = answers_of(costs.masked_fill(~wanted, torch.inf), tie, y[block], x, metric)
        above = order_about(best, costs, tie, y[block], x, metric)
        before = ((above < 0) | ((above == 0) & (index < best[:, None]))) & ~wanted
        # To be tied is not transitive: what `nearest` names comes first, whatever it is to the target.
        before.scatter_(1, answers[:, None], True)
        right = wanted.gather(1, answers[:, None])[:, 0]
        ranks[block] = torch.where(right, 0, before.sum(1))
    return ranks


def retrieval(
    texts: ArrayInput,
    images: ArrayInput,
    *,
    k: Sequence[int] = (1, 5, 10),
    image_of_text: ArrayInput | None = None,
    metric: str = "euclidean",
) -> dict[str, float]:
    """Recall at k in both directions.

    Parameters
    ----------
    texts : (n, d) array-like
    images : (m, d) array-like
    k : the cut-offs
    image_of_text : (n,) integers in [0, m), the image that each text describes; None: text i describes image i
    metric : ``"euclidean"``, ``"dot"`` or ``"cosine"``

    Returns
    -------
    dict
        ``"image_to_text_R@1"`` and so on: share of images with one of their texts among the k nearest texts;
        ``"text_to_image_R@1"`` and so on: share of texts with their image among the k nearest images

    Raises
    ------
    InputError
        If shapes do not fit or an image has no text.

    Examples
    --------
    >>> retrieval([[0.0], [1.0], [5.0]], [[0.1], [0.2], [4.0]], k=(1,))
    {'image_to_text_R@1': 0.666..., 'text_to_image_R@1': 1.0}
    """
    count = len(as_matrix(images, "images", dtype=None, finite=False))
    if isinstance(k, str | bytes) or not isinstance(k, Iterable) or getattr(k, "ndim", 1) != 1:
        raise InputError(f"k must hold the cut-offs, such as (1, 5, 10); got {one_line(k)}")
    cuts = [check_whole(cut, "every k") for cut in k]
    targets = {"image_to_text": None, "text_to_image": None}
    if image_of_text is not None:
        owner = as_index(image_of_text, "image_of_text", below=count)
        ids = torch.arange(count)
        targets = {"image_to_text": (ids, owner), "text_to_image": (owner, ids)}
    scores = {}
    for name, queries, gallery in (("image_to_text", images, texts), ("text_to_image", texts, images)):
        ranks = retrieval_ranks(queries, gallery, targets=targets[name], metric=metric)
        ranks = off_mps(torch.as_tensor(ranks))
        for cut in cuts:
            scores[f"{name}_R@{cut}"] = float((ranks < cut).double().mean())
    return scores


def k_occurrence(
    queries: ArrayInput, gallery: ArrayInput, *, k: int = 1, metric: str = "euclidean"
) -> ArrayLike:
    """How often each gallery row is among the k nearest of a query; a skewed count betrays hubs.

    After Radovanović et al. 2010; its third standardised moment (`scipy.stats.skew`) is the usual summary.

    Parameters
    ----------
    queries : (m, d) array-like
    gallery : (K, d) array-like
    k : neighbours counted for each query, 1 ≤ k ≤ K
    metric : ``"euclidean"``, ``"dot"`` or ``"cosine"``

    Returns
    -------
    (K,) int64 counts that sum to m·k; ties go to the lower index, as in `nearest`

    Raises
    ------
    InputError
        If shapes do not fit or k is out of range.

    Examples
    --------
    >>> k_occurrence([[0.0], [0.1], [5.0]], [[0.0], [4.0], [9.0]])
    array([2, 1, 0])
    """
    y, x = prepare(queries, gallery, metric)
    k = check_whole(k, "k")
    if k > len(x):
        raise InputError(f"k must lie between 1 and the {len(x)} gallery rows; got {k}")
    counts = torch.zeros(len(x), dtype=torch.int64, device=y.device)
    for block in blocks(len(y), len(x) * 8 * 8):
        costs, tie = cost_block(y[block], x, metric)
        answers = answers_of(costs, tie, y[block], x, metric)[:, None]
        costs = costs.scatter(1, answers, -torch.inf)
        last = costs.kthvalue(k, dim=1).indices
        above = order_about(last, costs, tie, y[block], x, metric) if k > 1 else costs
        closest = above.scatter_(1, answers, -torch.inf).sort(dim=1, stable=True).indices[:, :k]  # (b, k)
        counts += torch.bincount(closest.flatten(), minlength=len(x))
    return like(counts, queries, gallery)
