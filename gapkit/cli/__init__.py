"""The command line: ``gapkit COMMAND``.

A command's module is imported only when the command is asked for, so that ``gapkit --help`` is instant.
Exit codes: 0 done, 1 a check fell short, 2 bad usage or input.
"""

from gapkit.cli.main import main

__all__ = ["main"]
