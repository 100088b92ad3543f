"""The command line: ``gapkit COMMAND``.

Each command lives in a module of its own and is imported only when asked for, so that
``gapkit --help`` is instant. Exit codes: 0 done, 1 a check fell short, 2 bad usage or input.
"""

from gapkit.cli.main import main

__all__ = ["main"]
