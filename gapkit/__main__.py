"""The ``gapkit`` command, also as ``python -m gapkit``: Ctrl-C ends in one line and exit code 130 from here on, while
everything is imported and while the interpreter winds up too.

Nothing but what Python has loaded anyway is imported before: a Ctrl-C in the midst of an import is a traceback, or what
a library makes of it.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable

import gapkit


def main() -> None:
    """Run the command line and exit."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup

    def interrupt_by(handler: Callable) -> None:
        if heeded:
            signal.signal(signal.SIGINT, handler)

    interrupt_by(_end)
    _print_anything()
    from gapkit.cli import main as run

    try:
        interrupt_by(signal.default_int_handler)  # a command tidies up behind itself
        run()
    finally:
        interrupt_by(_end)


def _print_anything() -> None:
    """Let every sign out: into files and pipes as UTF-8, on Windows too; as its code where a terminal lacks it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
            chosen = stream.isatty() or os.environ.get("PYTHONIOENCODING")
            stream.reconfigure(encoding=None if chosen else "utf-8", errors="backslashreplace")


def _end(*_: object) -> None:
    """End at once: nothing is being written, or all of it has been."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            stream.flush()  # it may be closed, not read, or in the midst of a flush
    os.write(2, f"{gapkit._INTERRUPTED}\n".encode())
    os._exit(130)


if __name__ == "__main__":  # worker processes import it too
    main()
