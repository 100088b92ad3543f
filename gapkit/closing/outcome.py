"""What closing the gap does to one model and dataset: answers kept, answers right, robustness before and after."""

import functools

import numpy as np
import torch

from gapkit._arrays import as_matrix
from gapkit._options import Number, check_choice, check_number, check_whole
from gapkit.closing.shifts import GapCloser
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS
from gapkit.geometry.shape import principal_directions
from gapkit.robustness import robustness
from gapkit.tasks import accuracy, agreement

MOST_COSINE_QUERIES = 16
"""The cosine's integral has one dimension more: with more queries than this a slider would wait too long."""


class ClosingOutcome:
    """The outcome of closing for a gallery and its queries, at any setting; shared parts are computed once.

    Parameters
    ----------
    texts : (K, d) array, the gallery
    images : (m, d) array, the queries
    labels : (m,) the right row of the gallery for each query

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> texts, labels = rng.standard_normal((5, 16)), rng.integers(5, size=40)
    >>> images = texts[labels] + 0.5 * rng.standard_normal((40, 16)) + 1
    >>> outcome = ClosingOutcome(texts, images, labels)
    >>> found = outcome.closed(alpha=1.0, components=4, sigma=0.5)
    >>> found["agreement"], bool(found["after"].mean() > found["before"].mean())
    (1.0, True)
    """

    def __init__(self, texts: np.ndarray, images: np.ndarray, labels: np.ndarray | None) -> None:
        x, y = as_matrix(texts, "texts", shape="(K, d)"), as_matrix(images, "images", shape="(m, d)")
        self.texts, self.images, self.labels = x.cpu().numpy(), y.cpu().numpy(), labels
        self._untouched = functools.lru_cache(maxsize=64)(self._robustness_untouched)
        self._moved = functools.lru_cache(maxsize=4)(self._move)
        self._answers = {metric: nearest(self.images, self.texts, metric=metric) for metric in METRICS}

    @functools.cached_property
    def most_components(self) -> int:
        """The rank of the texts: that many components leave every answer as it is."""
        return len(principal_directions(torch.from_numpy(self.texts))[1])

    def rows(self, metric: str) -> np.ndarray:
        """Rows of the images whose robustness is computed."""
        count = min(MOST_COSINE_QUERIES, len(self.images)) if metric == "cosine" else len(self.images)
        return np.linspace(0, len(self.images) - 1, count).round().astype(int)

    def _robustness_untouched(self, metric: str, sigma: Number) -> np.ndarray:
        return robustness(self.images[self.rows(metric)], self.texts, sigma, metric=metric)

    def _move(self, alpha: Number, components: int, metric: str, moves: str) -> tuple:
        closer = GapCloser(alpha=alpha, n_components=components, moves=moves).fit(self.texts, self.images)
        texts, images = closer.transform_pair(self.texts, self.images)
        return texts, images, nearest(images, texts, metric=metric)

    def closed(
        self,
        *,
        alpha: Number = 1.0,
        components: int,
        sigma: Number,
        metric: str = "euclidean",
        moves: str = "gallery",
    ) -> dict:
        """Accuracy, agreement and robustness after the shift, and robustness before it.

        Parameters
        ----------
        alpha : how far the gap is closed, from 0 (untouched) to 1 (closed)
        components : how many leading components the shift stays orthogonal to
        sigma : noise on each coordinate of the texts
        metric : "euclidean", "dot" or "cosine", by which answers are found
        moves : "gallery" (the texts) or "queries" (the images)

        Returns
        -------
        dict: ``accuracy`` and ``agreement`` (with the untouched answers) of all images; of `rows`, each one's
        robustness ``before`` and ``after``, and whether closing alone ``changed`` its answer
        """
        alpha, sigma = check_number(alpha, "alpha"), check_number(sigma, "sigma", above=0.0)
        components = check_whole(components, "components", least=0)
        check_choice(metric, "metric", METRICS)
        check_choice(moves, "moves", ("gallery", "queries", "both"))
        texts, images, answers = self._moved(alpha, components, metric, moves)
        rows = self.rows(metric)
        return {
            "accuracy": accuracy(answers, self.labels),
            "agreement": agreement(answers, self._answers[metric]),
            "before": self._untouched(metric, sigma),
            "after": robustness(images[rows], texts, sigma, metric=metric),
            "changed": (answers != self._answers[metric])[rows],
        }
