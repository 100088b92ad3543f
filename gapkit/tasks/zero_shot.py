"""Zero-shot classification: class texts as the gallery, images as the queries."""

import torch

from gapkit._arrays import ArrayLike, as_index, as_matrix, like
from gapkit.errors import InputError
from gapkit.geometry.neighbours import nearest
from gapkit.tasks.scores import accuracy, as_answers


def zero_shot(images, class_texts, labels, *, metric: str = "euclidean") -> float:
    """Zero-shot accuracy: each image is given the class of its nearest class text.

    Parameters
    ----------
    images : (m, d) array-like, the queries
    class_texts : (K, d) array-like, the gallery, one row a class (see `prompt_ensemble`)
    labels : (m,) integers in [0, K)
    metric : ``"euclidean"``, ``"dot"`` or ``"cosine"``

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        If shapes do not fit or a label is no class.

    Examples
    --------
    >>> zero_shot([[0.9, 0.1], [0.2, 0.7]], [[1.0, 0.0], [0.0, 1.0]], [0, 0])
    0.5
    """
    classes = len(as_matrix(class_texts, "class_texts", shape="(K, d)", dtype=None, finite=False))
    return accuracy(nearest(images, class_texts, metric=metric), as_index(labels, "labels", below=classes))


def prompt_ensemble(prompts, classes) -> ArrayLike:
    r"""One class text from several prompts: the mean of their unit vectors, scaled back to length 1.

    .. math:: x_c = \bar u_c / \|\bar u_c\|, \qquad \bar u_c = \operatorname{mean}_{p \in c} \, t_p / \|t_p\|

    as in CLIP (Radford et al. 2021, section 3.1.4).

    Parameters
    ----------
    prompts : (n, d) array-like, embedded prompts
    classes : (n,) integers, the class each prompt belongs to; every class 0 … K−1 has at least one

    Returns
    -------
    (K, d), of the kind and floating dtype of ``prompts``

    Raises
    ------
    InputError
        If a class has no prompt, a prompt is zero, or the prompts of a class cancel out.

    Examples
    --------
    >>> prompt_ensemble([[1.0, 0.0], [0.0, 2.0], [0.0, -3.0]], [0, 0, 1]).round(3)
    array([[ 0.707,  0.707],
           [ 0.   , -1.   ]])
    """
    kept = as_matrix(prompts, "prompts", dtype=None)
    wide = kept.double()
    owner = as_answers(classes, "classes").to(wide.device)
    if len(owner) != len(wide):
        raise InputError(
            f"classes must name one class for each prompt; got {len(owner)} for {len(wide)} prompts"
        )
    if int(owner.min()) < 0:
        raise InputError(f"classes must be at least 0; got {int(owner.min())}")
    counts = torch.bincount(owner)
    if (counts == 0).any():
        raise InputError(f"every class needs a prompt; class {int((counts == 0).nonzero()[0, 0])} has none")
    lengths = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
    if (lengths == 0).any():
        raise InputError("prompts must have no zero row")
    sums = wide.new_zeros(len(counts), wide.shape[1]).index_add_(0, owner, wide / lengths)
    lengths = torch.linalg.vector_norm(sums, dim=1, keepdim=True)
    if (lengths <= 1e-12 * counts[:, None]).any():
        raise InputError("the prompts of a class cancel out: their mean has no direction")
    return like(sums / lengths, prompts, dtype=kept.dtype)
