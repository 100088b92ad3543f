"""The error and the warning of the package.

An error says what was expected, what came, and what to do about it. The command line prints the
message alone and ends with exit code 2.
"""

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator
from typing import NoReturn

_LONG_WORD, _LONG_LINE = 300, 2000


def as_one_line(text: object) -> str:
    r"""``text`` on one line that can be read: control characters escaped, words and whole of limited length.

    Files, columns and arrays may be called anything, and messages quote their names.

    >>> as_one_line("labels of 'a\nb' must be whole")
    "labels of 'a\\nb' must be whole"
    """
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(text))
    words = (w if len(w) <= _LONG_WORD else f"{w[:200]}…{w[-60:]}" for w in line.split(" "))
    line = " ".join(words)
    return line if len(line) <= _LONG_LINE else f"{line[: _LONG_LINE - 100]}…{line[-99:]}"


class InputError(ValueError):
    """Input that gapkit cannot use; the message is always one line.

    Derives from ``ValueError``, so code that knows nothing of gapkit can catch it.

    >>> raise InputError("images must have shape (n, d); got (512,)")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: images must have shape (n, d); got (512,)
    """

    def __init__(self, *message: object) -> None:
        super().__init__(*map(as_one_line, message))


class GapkitWarning(UserWarning):
    """Something the caller should know, although gapkit can continue; the message is always one line."""

    def __init__(self, *message: object) -> None:
        super().__init__(*map(as_one_line, message))


def short_reason(fault: BaseException, most: int = 200) -> str:
    """What another library says, on one line of limited length; its kind where it says nothing.

    Without addresses in memory, which are others each time: what is stored shall have the same bytes.

    >>> short_reason(OSError("cannot identify image file <_io.BytesIO object at 0x7f35ac74fbf0>"))
    'cannot identify image file <_io.BytesIO object>'
    """
    said = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(fault).split()))
    return said[:most] or type(fault).__name__


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether a fault is the memory's, whichever library says so in its own way."""
    words = ("allocate memory", "out of memory", "bad_alloc", "os error 12")
    if isinstance(fault, MemoryError | InputError):  # the latter quotes what files are called
        return isinstance(fault, MemoryError)
    return any(word in str(fault).lower() for word in words)


def refuse_as_damaged(fault: Exception, message: str) -> NoReturn:
    """Raise `InputError` with ``message``; but what ran out of memory stays a `MemoryError`, as no file is to blame.

    >>> refuse_as_damaged(RuntimeError("DefaultCPUAllocator: can't allocate memory"), "a.npy is damaged")
    Traceback (most recent call last):
    ...
    MemoryError: DefaultCPUAllocator: can't allocate memory
    """
    if is_out_of_memory(fault):
        raise MemoryError(short_reason(fault)) from fault
    raise InputError(message) from fault


@contextlib.contextmanager
def refusing(*kinds: type[Exception], before: str, after: str = "") -> Iterator[None]:
    """Raise whatever of these kinds is raised inside as `InputError`: its reason between the parts of a message.

    An `InputError` has said it all, unless it is among ``kinds``; what ran out of memory stays a `MemoryError`.

    >>> with refusing(OSError, before="cannot read a.csv: "):
    ...     open("nowhere/a.csv")
    Traceback (most recent call last):
    ...
    gapkit.errors.InputError: cannot read a.csv: No such file or directory
    """
    try:
        yield
    except kinds as fault:
        if isinstance(fault, InputError) and InputError not in kinds:
            raise
        said = str(fault) if isinstance(fault, InputError) else getattr(fault, "strerror", None)
        refuse_as_damaged(fault, f"{before}{said or short_reason(fault)}{after}")


def did_you_mean(value: object, known: Iterable[str], *, most: int = 1) -> str:
    """What a message about an unknown name ends with: the ``most`` nearest of ``known``; nothing if none is near.

    >>> did_you_mean("euclidian", ["euclidean", "dot", "cosine"])
    " (did you mean 'euclidean'?)"
    """
    names = {name.lower(): name for name in known}
    if not isinstance(value, str) or len(value) > _LONG_WORD:
        return ""
    near = difflib.get_close_matches(value.lower(), names, n=most)
    return f" (did you mean {' or '.join(repr(names[name]) for name in near)}?)" if near else ""
