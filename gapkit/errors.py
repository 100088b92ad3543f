"""The error and the warning of the package.

An error says what was expected, what came, and what to do about it. The command line prints the
message alone and ends with exit code 2.
"""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that gapkit cannot work with.

    Derives from ``ValueError``, so code that knows nothing of gapkit can catch it.

    >>> raise InputError("images must have shape (n, d); got (512,)")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: images must have shape (n, d); got (512,)
    """


class GapkitWarning(UserWarning):
    """Something a caller should know, although gapkit could go on."""


def did_you_mean(value: object, known: Iterable[str], *, most: int = 1) -> str:
    """What a message about an unknown name ends with: the ``most`` nearest of ``known``; nothing if none is near.

    >>> did_you_mean("euclidian", ["euclidean", "dot", "cosine"])
    " (did you mean 'euclidean'?)"
    """
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(value).lower(), names, n=most)
    return f" (did you mean {' or '.join(repr(names[name]) for name in near)}?)" if near else ""
