"""The error and the warning of the package.

An error says what was expected, what came, and what to do about it. The command line prints the
message alone and ends with exit code 2.
"""


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
