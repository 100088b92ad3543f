"""Write the parts of README.md that follow from other files: the table of lessons and the Binder links.

The repository is named in one place, ``[project.urls] Repository`` of pyproject.toml.
``python tools/readme.py`` writes, ``--check`` only says (exit code 1) whether README.md is out of date.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BADGE = "https://mybinder.org/badge_logo.svg"


def repository() -> str:
    """``owner/name`` of the repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "/".join(project["urls"]["Repository"].rstrip("/").split("/")[-2:])


def binder_link(lesson: str) -> str:
    """Where Binder opens ``lesson`` in JupyterLab."""
    return f"https://mybinder.org/v2/gh/{repository()}/HEAD?urlpath=lab/tree/notebooks/{lesson}.ipynb"


def links() -> str:
    """Reference links for the README: the badge, Binder at the first lesson, Binder at each lesson."""
    lessons = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    lines = [f"[badge]: {BADGE}", f"[binder]: {binder_link('00_start_here')}"]
    return "\n".join(lines + [f"[b{lesson[:2]}]: {binder_link(lesson)}" for lesson in lessons])


def lesson_row(path: Path) -> str:
    """Title, objectives and links of one lesson, read from its opening."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells[:4] if cell["cell_type"] == "markdown")
    title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    aims = re.search(r"objectives.*?\n((?:\s*\n)*(?:[-*] .*(?:\n {2,}.*)*\n?)+)", text, flags=re.IGNORECASE)
    minutes = re.search(r"(\d+)[^\d\n]{0,12}minutes", text)
    if not (title and aims and minutes):
        raise SystemExit(
            f"{path.name}: the opening must have a title, a list of objectives and a number of minutes"
        )
    name = re.sub(r"^(lesson )?\d+\s*[.:·–—-]?\s*", "", title[1], flags=re.IGNORECASE)
    points = re.findall(r"^[-*] (.*(?:\n {2,}.*)*)", aims[1], flags=re.MULTILINE)
    points = [" ".join(point.split()).rstrip(".;,") for point in points]
    number = path.stem[:2]
    return f"| {number} | [{name}](notebooks/{path.name}) | {'; '.join(points)} | {minutes[1]} min | [run][b{number}] |"


def lessons() -> str:
    """The table of lessons with their objectives."""
    rows = [lesson_row(path) for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    return "\n".join(["| | lesson | you will be able to | time | Binder |", "|---|---|---|---|---|", *rows])


def outside() -> str:
    """How to install without a clone."""
    return f"""```bash
pip install "gapkit @ git+https://github.com/{repository()}"
gapkit replicate
```

Models and data (60 MB) are fetched when they are first asked for, each checked by its sha256, and kept in the cache;
`gapkit fetch --shipped` gets all at once, for work without a network. `GAPKIT_DATA` names a data folder that is there,
`GAPKIT_DATA_URL` another address of it. An extra is asked for as `"gapkit[lab] @ git+…"`. A torch that is installed
already, as in Colab, stays."""


def between(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the markers ``name:begin`` and ``name:end``."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    changed, count = re.subn(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"the file must have the markers {name}:begin and {name}:end once")
    return changed


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    path = ROOT / "README.md"
    before = path.read_text(encoding="utf-8")
    after = between(between(before, "links", links()), "lessons", lessons())
    after = between(after, "outside", outside())
    if "--check" in arguments:
        if before != after:
            print("README.md is out of date: run make readme")
        return int(before != after)
    path.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
