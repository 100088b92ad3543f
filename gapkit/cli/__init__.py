"""The command line: ``gapkit COMMAND``.

A command's module is imported only when the command is run, so ``gapkit --help`` is instant.
Exit codes: 0 done, 1 a check failed, 2 bad usage or input.
"""

from gapkit.cli.main import main

__all__ = ["main"]
