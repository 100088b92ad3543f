"""The students' notebooks as a folder that can be pushed as a repository, and links that open it."""

import json
import shutil
import tomllib
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from gapkit import InputError
from tools.learner import write_lessons

ROOT = Path(__file__).resolve().parents[1]
MADE = ".made-by-gapkit"
README = """# {title}

Assignments: {names}; lessons: in `lessons/`, with functions for you to write. Work in JupyterLab: `pip install "gapkit[lab] @ git+{repository}"`, then `jupyter lab`; or open the
folder on Binder. Run a notebook from top to bottom before you hand it in, and hand in the `.ipynb` file.
"""


def repository() -> str:
    """The address of gapkit's repository, as pyproject.toml names it."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]["urls"]["Repository"]


def release(course: Path, folder: Path) -> list[Path]:
    """Write the students' notebooks and lessons, what Binder needs, a README and a workflow that grades, into ``folder``.

    Nothing in it holds a solution or a hidden test. What an earlier call has written is replaced; a ``.git``
    folder stays.

    Raises
    ------
    InputError
        If there is no course, or the folder holds something else.
    """
    if not (course / "course.json").is_file():
        raise InputError(f"no course in {course}; build it with: make assignments")
    others = [path.name for path in folder.iterdir() if path.name != ".git"] if folder.is_dir() else []
    if others and not (folder / MADE).is_file():
        raise InputError(f"{folder} holds {others[0]!r} already; name a new folder")
    for name in others:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / "binder").mkdir(parents=True)
    (folder / ".github" / "workflows").mkdir(parents=True)
    notebooks = []
    for path in sorted((course / "release").glob("*/A*.ipynb")):
        text = path.read_text(encoding="utf-8")
        if "BEGIN SOLUTION" in text or "BEGIN HIDDEN TESTS" in text:
            raise InputError(
                f"{path} holds a solution or a hidden test; build the course again with: make assignments"
            )
        notebooks.append(folder / path.name)
        notebooks[-1].write_text(text, encoding="utf-8")
    write_lessons(folder / "lessons", above=f"{repository()}/blob/HEAD/")
    variant = json.loads((course / "course.json").read_text(encoding="utf-8"))["variant"]
    options = " ".join(f"--{name} {value}" for name, value in variant.items() if value is not None)
    workflow = (Path(__file__).parent / "templates" / "autograde.yml").read_text(encoding="utf-8")
    workflow = workflow.replace("{repository}", repository()).replace("{variant}", options)
    (folder / ".github" / "workflows" / "grade.yml").write_text(workflow, encoding="utf-8")
    (folder / "binder" / "requirements.txt").write_text(
        f"gapkit[lab] @ git+{repository()}\n", encoding="utf-8"
    )
    names = ", ".join(path.stem for path in notebooks)
    (folder / "README.md").write_text(
        README.format(title="Assignments", names=names, repository=repository()), encoding="utf-8"
    )
    (folder / MADE).write_text("python -m teaching release\n", encoding="utf-8")
    return notebooks


def links(repository: str, *, branch: str = "main", path: str = "", hub: str = "") -> dict[str, str]:
    """Links that open a release: on a JupyterHub with nbgitpuller, and on Binder and Colab for GitHub.

    Parameters
    ----------
    repository : where the release was pushed to, such as ``https://github.com/me/course``
    branch : its branch
    path : the notebook to open, such as ``A1.ipynb``
    hub : address of the JupyterHub

    >>> links("https://github.com/me/course", path="A1.ipynb", hub="https://hub.example.org")["hub"]
    'https://hub.example.org/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fme%2Fcourse&branch=main&urlpath=lab%2Ftree%2Fcourse%2FA1.ipynb'
    """
    address = urlsplit(repository)
    if address.scheme not in ("https", "http") or not address.path.strip("/"):
        raise InputError(f"{repository!r} is no address of a repository; expected https://…")
    where = address.path.strip("/").removesuffix(".git")
    found = {}
    if hub:
        target = "/".join(filter(None, ["lab/tree", where.rpartition("/")[2], path]))
        query = urlencode({"repo": repository, "branch": branch, "urlpath": target})
        found["hub"] = f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{query}"
    if address.netloc == "github.com":
        found["binder"] = (
            f"https://mybinder.org/v2/gh/{where}/{quote(branch, safe='')}?{urlencode({'urlpath': f'lab/tree/{path}'})}"
        )
        if path:
            found["colab"] = f"https://colab.research.google.com/github/{where}/blob/{branch}/{quote(path)}"
    return found
