"""Say at the top of each lesson how it runs in Colab: ``python tools/colab.py`` writes the cell, then sync the lessons.

The text is the same everywhere but for the lesson's name; the repository is the one that pyproject.toml names. pip
leaves the torch that Colab brings as it is (gapkit asks only for 2.4 or later), and data are fetched on demand.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.readme import repository  # noqa: E402

START = "*Without installing anything:*"
PATTERN = re.compile(rf"# %% \[markdown\]\n# {re.escape(START)}.*\n(?:#.*\n)*\n")


def note(lesson: str) -> str:
    """The text of the cell for a lesson such as ``00_start_here``."""
    place = f"{repository()}/blob/HEAD/notebooks/{lesson}.ipynb"
    return (
        f"{START} [open this lesson in Colab](https://colab.research.google.com/github/{place}) and run\n"
        f'`%pip install -q "gapkit @ git+https://github.com/{repository()}"` in a new cell first. '
        "Colab's own torch is kept; models and data are downloaded when a cell needs them."
    )


def with_note(text: str, lesson: str) -> str:
    """The source of a lesson with the cell after its opening."""
    lines = "\n".join(f"# {line}" for line in note(lesson).split("\n"))
    cell = f"# %% [markdown]\n{lines}\n\n"
    text = PATTERN.sub("", text)
    second = [match.start() for match in re.finditer(r"^# %%", text, flags=re.MULTILINE)][1]
    return text[:second] + cell + text[second:]


def main() -> None:
    """Write the cell into every lesson."""
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py")):
        path.write_text(with_note(path.read_text(encoding="utf-8"), path.stem), encoding="utf-8")


if __name__ == "__main__":
    main()
