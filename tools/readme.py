"""Write the parts of README.md and docs/repository.md that follow from other files.

The answer and the table of real models come from docs/published.json, the list of lessons from the lessons; the
repository is named in one place, ``[project.urls] Repository`` of pyproject.toml.
``python tools/readme.py`` writes; ``--check`` only says (exit code 1) what is out of date.
"""

import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path

from gapkit._format import number, with_interval
from gapkit.report import read_record, view

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "published.json"
BADGE = "https://mybinder.org/badge_logo.svg"


def repository() -> str:
    """``owner/name`` of the repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "/".join(project["urls"]["Repository"].rstrip("/").split("/")[-2:])


def binder_link(lesson: str) -> str:
    """Where Binder opens the learner's edition of ``lesson`` in JupyterLab."""
    return f"https://mybinder.org/v2/gh/{repository()}/HEAD?urlpath=lab/tree/my_notebooks/{lesson}.ipynb"


def links() -> str:
    """Reference links: Binder's badge, and Binder at the first lesson."""
    return f"[badge]: {BADGE}\n[binder]: {binder_link('00_start_here')}"


def clone() -> str:
    """The commands of a first visit."""
    return f"""```bash
git clone https://github.com/{repository()} && cd {repository().partition("/")[2]}
make replicate    # measures every claim of the paper on the models shipped here; writes results/report.html
make test         # runs every check, the lessons included
make lab          # opens the lessons in JupyterLab
```"""


def lesson_line(path: Path) -> str:
    """One lesson in one line: its title, its first objective and its length, read from its opening."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells[:4] if cell["cell_type"] == "markdown")
    title = re.search(r"^# (?:lesson )?\d+\s*[.:·–—-]?\s*(.+)$", text, flags=re.MULTILINE | re.IGNORECASE)
    aim = re.search(r"objectives.*?\n\s*[-*] (.*(?:\n {2,}.*)*)", text, flags=re.IGNORECASE)
    minutes = re.search(r"(\d+)[^\d\n]{0,12}minutes", text)
    if not (title and aim and minutes):
        raise SystemExit(
            f"{path.name}: the opening must have a title, a list of objectives and a number of minutes"
        )
    first = " ".join(aim[1].split()).rstrip(".;,")
    return f"- {path.stem[:2]} [{title[1]}](notebooks/{path.name}): {first} ({minutes[1]} min)"


def lessons() -> str:
    """The list of lessons."""
    return "\n".join(map(lesson_line, sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))))


LEVEL = "K=10, untouched 0.7"
"""The cell of every model that the README quotes: it exists for all of them."""


def quoted(entry: Mapping) -> Mapping:
    """The cell of ``entry`` that the README quotes."""
    return next(cell for cell in entry["cells"] if cell["where"].endswith(LEVEL))


def answer(record: Mapping | None = None) -> str:
    """Bug or feature? Sentences that follow from the verdicts on real models, and what they say of the paper's main claim."""
    record = record or read_record(RECORD)
    sentences = view.answer(record, where=LEVEL, models="published models")
    gains, kept = view.on_models(record, "gain"), view.on_models(record, "answers-kept")
    both = [m for m, entry in gains.items() if entry["verdict"] == "holds" and kept[m]["verdict"] == "holds"]
    sentences.append(
        f"So the paper's main claim, more robustness at no cost in accuracy, holds on {len(both)} of {len(gains)} models."
    )
    return textwrap.fill(" ".join(re.sub(r"^([^:]*:)", r"**\1**", sentence) for sentence in sentences), 120)


def models(record: Mapping | None = None) -> str:
    """The table of real models, one row each."""
    record = record or read_record(RECORD)
    data = {job["model"]: job["dataset"].partition("-")[0] for job in record["jobs"]}
    affine, kept = view.on_models(record, "affine-gain"), view.on_models(record, "answers-kept")
    lines = [
        "| model | data | ‖g‖ | answers kept | gain | affine adds | gains in |",
        "|---|---|---|---|---|---|---|",
    ]
    for model, width in view.on_models(record, "gap-exists").items():
        entry = view.on_models(record, "gain")[model]
        yes, tested = view.yes_count(entry)
        cell, extra = quoted(entry), quoted(affine[model])["value"]
        lines.append(
            f"| {view.short_model(model)} | {data[model]} | {number(width['value'], 2)} | "
            f"{100 * kept[model]['value']:.4g} % | "
            f"{with_interval(cell['value'], *cell['interval'], scientific=False)} | +{extra:.3f} | "
            f"{f'{yes} of {tested}' if tested else 'no test'} |"
        )
    return "\n".join(lines)


def outside() -> str:
    """How to install without a clone."""
    return f"""```bash
pip install "gapkit @ git+https://github.com/{repository()}"
gapkit replicate
```

Models and data (80 MB) are downloaded when they are first needed, checked by their sha256 and kept in the cache;
`gapkit fetch --shipped` downloads everything at once, for work without a network. `GAPKIT_DATA` names an existing data
folder, `GAPKIT_DATA_URL` another address to download from. To add an extra, write `"gapkit[lab] @ git+…"`. A torch that
is already installed, as in Colab, stays."""


def between(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the markers ``name:begin`` and ``name:end``."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    changed, count = re.subn(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"the file must have the markers {name}:begin and {name}:end once")
    return changed


PARTS = {
    "README.md": {"answer": answer, "run": clone, "models": models, "lessons": lessons, "links": links},
    "docs/repository.md": {"outside": outside},
}
"""File -> its generated parts."""


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    stale = []
    for name, parts in PARTS.items():
        before = after = (ROOT / name).read_text(encoding="utf-8")
        for part, write in parts.items():
            after = between(after, part, f"\n{write()}\n")
        if before != after:
            stale.append(name)
            if "--check" not in arguments:
                (ROOT / name).write_text(after, encoding="utf-8")
    if "--check" in arguments and stale:
        print(f"{' and '.join(stale)} out of date: run make readme")
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
