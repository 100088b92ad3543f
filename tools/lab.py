"""Open the lessons in JupyterLab: ``python tools/lab.py [OPTION OF JUPYTER LAB ...]``; ``make lab`` runs it.

The learner works on copies in ``my_notebooks/``, which git ignores, so that no answer gets in the way of the
next ``git pull``. A copy that is there is never written over: delete it to begin that lesson afresh. The server's
root is the repository, because the lessons link to files above their own folder.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
COPIES = ROOT / "my_notebooks"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def copy_lessons(lessons: Path = LESSONS, copies: Path = COPIES) -> list[Path]:
    """Copy the lessons that are not there yet; returns all copies, in order.

    The pairing with a .py file stays behind: Jupytext would write one at each save.
    """
    copies.mkdir(exist_ok=True)
    made = []
    for lesson in sorted(lessons.glob("[0-9][0-9]_*.ipynb")):
        made.append(copies / lesson.name)
        if made[-1].exists():
            continue
        notebook = json.loads(lesson.read_text(encoding="utf-8"))
        notebook["metadata"].pop("jupytext", None)
        beside = made[-1].with_suffix(".part")
        beside.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(made[-1])
    return made


def command(first: Path, *, root: Path = ROOT, superuser: bool) -> list[str]:
    """How JupyterLab is started with the notebook ``first`` open."""
    shown = first.relative_to(root).as_posix()
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{shown}"]
    return [sys.executable, "-m", "jupyter", "lab", *options, *(["--allow-root"] if superuser else [])]


def main(arguments: list[str]) -> int:
    """Copy the lessons and hand over to JupyterLab."""
    copies = copy_lessons()
    for name in THREADS:  # threads wait for each other as soon as anything else runs on the machine
        os.environ.setdefault(name, "1")
    start = command(copies[0], superuser=hasattr(os, "geteuid") and os.geteuid() == 0) + arguments
    if os.name == "nt":
        return subprocess.run(start, check=False).returncode
    os.execv(start[0], start)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
