"""The students' notebooks as a folder that can be pushed as a repository, and links that open it."""

import shutil
import tomllib
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from gapkit import InputError
from teaching.course import facts_of, must_be_ours, released
from tools.learner import write_lessons

ROOT = Path(__file__).resolve().parents[1]
MADE = ".made-by-gapkit"
README = """# Notebooks

Assignments: {names}; lessons: in `lessons/`, with functions for you to write. Work in JupyterLab: `pip install "gapkit[lab] @ git+{repository}"`, then `jupyter lab`; or open the
folder on Binder. Run a notebook from top to bottom before you hand it in, and hand in the `.ipynb` file.
"""


def release(course: Path, folder: Path) -> list[Path]:
    """Write the students' notebooks and lessons, what Binder needs, a README and a workflow that grades, into ``folder``.

    Nothing in it holds a solution or a hidden test. What an earlier call has written is replaced; a ``.git``
    folder stays.

    Raises
    ------
    InputError
        If there is no course, or the folder holds something else.
    """
    variant, notebooks = facts_of(course)["variant"], released(course)
    for path in must_be_ours(folder, MADE):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with open(ROOT / "pyproject.toml", "rb") as file:
        repository = tomllib.load(file)["project"]["urls"]["Repository"]
    options = " ".join(f"--{name} {value}" for name, value in variant.items() if value is not None)
    files = {
        MADE: "python -m teaching release\n",
        "README.md": README,
        "binder/requirements.txt": "gapkit[lab] @ git+{repository}\n",
        ".github/workflows/grade.yml": (ROOT / "teaching/templates/autograde.yml").read_text("utf-8"),
    }
    words = {"repository": repository, "variant": options, "names": ", ".join(notebooks)}
    for name, text in files.items():
        for word, value in words.items():
            text = text.replace(f"{{{word}}}", value)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    write_lessons(folder / "lessons", above=f"{repository}/blob/HEAD/")
    return [Path(shutil.copyfile(path, folder / path.name)) for path in notebooks.values()]


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
        raise InputError(f"{repository!r} is not the address of a repository; expected https://…")
    where = address.path.strip("/").removesuffix(".git")
    found = {}
    if hub:
        target = "/".join(filter(None, ["lab/tree", where.rpartition("/")[2], path]))
        query = urlencode({"repo": repository, "branch": branch, "urlpath": target})
        found["hub"] = f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{query}"
    if address.netloc == "github.com":
        query = urlencode({"urlpath": f"lab/tree/{path}"})
        found["binder"] = f"https://mybinder.org/v2/gh/{where}/{quote(branch, safe='')}?{query}"
        if path:
            found["colab"] = f"https://colab.research.google.com/github/{where}/blob/{branch}/{quote(path)}"
    return found
