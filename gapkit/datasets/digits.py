"""digits10: the 1,797 handwritten digits that ship with scikit-learn, as 64 x 64 RGB images.

Source: the test half of the UCI "Optical Recognition of Handwritten Digits" set (Alpaydin and
Kaynak, 1998; CC BY 4.0), 8 x 8 pixels with 17 grey levels, as `sklearn.datasets.load_digits`.
"""

import numpy as np

from gapkit.datasets.scenes import IMAGE_SIZE

TEST_SHARE = 0.2
"""Share of the digits held out for testing; the split is stratified and fixed."""


def load_digits10(split: str, *, size: int = IMAGE_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one split.

    Parameters
    ----------
    split : "train" (1,437 digits) or "test" (360)
    size : int, width and height in pixels

    Returns
    -------
    images : (n, size, size, 3) uint8
    labels : (n,) int64, the digit
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits, labels = load_digits(return_X_y=True)
    rows = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=0)
    rows = np.sort(rows[{"train": 0, "test": 1}[split]])
    return enlarge(digits[rows].reshape(-1, 8, 8) / 16, size=size), labels[rows].astype(np.int64)


def enlarge(grey: np.ndarray, *, size: int = IMAGE_SIZE) -> np.ndarray:
    """Enlarge (n, 8, 8) grey images in [0, 1] to (n, size, size, 3) uint8 by bilinear interpolation.

    >>> enlarge(np.ones((2, 8, 8))).shape
    (2, 64, 64, 3)
    """
    n, width = grey.shape[0], grey.shape[-1]
    weight = _bilinear(width, size)
    large = np.einsum("ai,nij,bj->nab", weight, grey, weight)
    grey8 = (np.clip(large, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey8[..., None], (n, size, size, 3)))


def _bilinear(old: int, new: int) -> np.ndarray:
    """(new, old) interpolation weights between pixel centres, held constant beyond the border."""
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    low = np.minimum(position.astype(int), old - 2)
    share = position - low
    weight = np.zeros((new, old))
    weight[np.arange(new), low] = 1 - share
    weight[np.arange(new), low + 1] += share
    return weight
