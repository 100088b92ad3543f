"""``python -m gapkit`` is the ``gapkit`` command."""

from gapkit.cli import main

main()
