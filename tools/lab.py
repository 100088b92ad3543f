"""Open the lessons in JupyterLab: ``python tools/lab.py [OPTION OF JUPYTER LAB ...]``; ``make lab`` runs it.

The learner works on the learner's edition in ``my_notebooks/`` (`tools/learner.py`), which git ignores, so that no answer
gets in the way of the next ``git pull``. The server's root is the repository, because the lessons link to files above
their own folder; what is set up for learners lies in ``tools/jupyter/``.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.learner import write_lessons  # noqa: E402

SETTINGS = {
    "JUPYTER_CONFIG_PATH": str(ROOT / "tools" / "jupyter"),
    "PYTHONSTARTUP": str(ROOT / "tools" / "jupyter" / "startup.py"),
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def command(first: Path, *, root: Path = ROOT, superuser: bool) -> list[str]:
    """How JupyterLab is started with the notebook ``first`` open."""
    shown = first.relative_to(root).as_posix()
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{shown}"]
    return [sys.executable, "-m", "jupyter", "lab", *options, *(["--allow-root"] if superuser else [])]


def main(arguments: list[str]) -> int:
    """Write the lessons and hand over to JupyterLab."""
    copies = write_lessons()
    os.environ |= SETTINGS
    for name in THREADS:  # threads wait for each other as soon as anything else runs on the machine
        os.environ.setdefault(name, "1")
    start = command(copies[0], superuser=hasattr(os, "geteuid") and os.geteuid() == 0) + arguments
    if os.name == "nt":
        return subprocess.run(start, check=False).returncode
    os.execv(start[0], start)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
