"""What the book needs beyond Sphinx: pages made from the repository, MathJax, and pictures' alternative text."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import click
import jupyter_server_mathjax
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx

from tools import explorers, learner
from tools.readme import binder_link, repository

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent
GENERATED = DOCS / "_generated"
MODULES = (
    "geometry",
    "contrastive",
    "closing",
    "robustness",
    "perturbations",
    "tasks",
    "embeddings",
    "datasets",
    "encoders",
    "miniclip",
    "experiments",
    "claims",
    "plots",
    "widgets",
    "check",
    "report",
    "errors",
)
DERIVED_IN = {
    "robustness": (
        "reference",
        "exact",
        "exact_dot",
        "exact_euclidean",
        "exact_cosine",
        "law",
        "certified",
        "query_noise",
    )
}
"""Package -> its modules whose own text is a derivation that readers should find."""
ELSEWHERE = {"../README.md": "../../results.md", "../docs/": "../../"}
"""Where links out of the lessons' folder lead in the book."""


def write(path: Path, text: str) -> None:
    """Write ``text`` unless the file holds it already, so that Sphinx rebuilds only what changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def copy_lessons() -> None:
    """The executed lessons; Sphinx reads only what lies in its own folder."""
    target = GENERATED / "lessons"
    target.mkdir(parents=True, exist_ok=True)
    wanted = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for stale in set(target.glob("*.ipynb")) - {target / path.name for path in wanted}:
        stale.unlink()
    for path in wanted:
        text = path.read_text(encoding="utf-8")
        for link, page in ELSEWHERE.items():
            text = text.replace(f"]({link}", f"]({page}")
        notebook = json.loads(text)
        add_ways_to_run(notebook, path.stem)
        notebook["cells"] = [made for cell in notebook["cells"] for made in with_explorer(cell)]
        write(target / path.name, json.dumps(notebook, ensure_ascii=False, indent=1))
    learner.write_lessons(
        GENERATED / "learner", above=f"https://github.com/{repository()}/blob/HEAD/", anew=True
    )


def add_ways_to_run(notebook: dict, lesson: str) -> None:
    """Below the title, links to Binder, to Colab, and to the learner's edition for download."""
    first = notebook["cells"][0]
    title, _, rest = "".join(first["source"]).partition("\n")
    colab = f"https://colab.research.google.com/github/{repository()}/blob/HEAD/notebooks/{lesson}.ipynb"
    ways = f"Run this lesson: [on Binder]({binder_link(lesson)}) · [in Colab]({colab}) · "
    ways += f"{{download}}`download the notebook <../learner/{lesson}.ipynb>`"
    first["source"] = f"{title}\n\n{ways}\n{rest}"


def with_explorer(cell: dict) -> list[dict]:
    """A cell that presents an explorer, with its twin for pages without a kernel instead of the sentence about it."""
    called = re.search(r"(\w+)_(?:explorer|player)\(", "".join(cell["source"]))
    if cell["cell_type"] != "code" or called is None or called[1] not in explorers.EXPLORERS:
        return [cell]
    cell["outputs"] = [made for made in cell["outputs"] if "text/markdown" not in made.get("data", {})]
    return [
        cell,
        {
            "cell_type": "markdown",
            "id": f"play-{cell['id']}"[:64],
            "metadata": {},
            "source": raw(called[1], "../../"),
        },
    ]


def raw(name: str, up: str) -> str:
    """One explorer as MyST takes it; ``up`` leads from the page to the top of the book."""
    return f"```{{raw}} html\n{explorers.markup(name, f'{up}_static/play')}\n```\n"


def write_play() -> None:
    """The page with all explorers."""
    text = "# Play with it\n\nNo kernel, no network: the numbers were computed beforehand with gapkit, from the lessons' own data. "
    text += "Move a slider with the pointer or the arrow keys; point at anything to see its name.\n"
    for name, (title, _) in explorers.EXPLORERS.items():
        text += f"\n## {title}\n\n{raw(name, '../')}"
    write(GENERATED / "play.md", text)
    explorers.build(GENERATED / "explorers")


def write_api() -> None:
    """One page for each module that exists, one for the command line, and the page that lists them."""
    pages = []
    for name in MODULES:
        found = importlib.util.find_spec(f"gapkit.{name}")
        if found is None:
            continue
        title = f"``gapkit.{name}``"
        page = f"{title}\n{'=' * len(title)}\n\n.. automodule:: gapkit.{name}\n"
        if found.submodule_search_locations:  # a package: its public names live in its modules
            page += "   :imported-members:\n"
        for part in DERIVED_IN.get(name, ()):  # modules whose text derives what the functions compute
            head = f"``{name}.{part}``"
            page += f"\n{head}\n{'-' * len(head)}\n\n.. automodule:: gapkit.{name}.{part}\n   :no-members:\n"
        write(GENERATED / "api" / f"{name}.rst", page)
        pages.append(name)
    write(GENERATED / "api" / "command_line.rst", command_line())
    listed = "\n".join(f"   {name}" for name in ["command_line", *pages])
    head = "API and command line\n====================\n\n"
    intro = (
        "Every public function takes numpy arrays or torch tensors and gives back the kind that came in. "
        "``x`` is the gallery (texts), ``y`` the queries (images).\n\n"
    )
    write(GENERATED / "api" / "index.rst", f"{head}{intro}.. toctree::\n   :maxdepth: 1\n\n{listed}\n")


def command_line() -> str:
    """The help of every command, as the commands themselves give it."""
    from gapkit.cli.main import group

    parts = ["The ``gapkit`` command\n======================\n"]
    context = click.Context(group, info_name="gapkit")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        text = command.get_help(click.Context(command, info_name=f"gapkit {name}"))
        title = f"gapkit {name}"
        body = "\n".join(f"   {line}".rstrip() for line in text.splitlines())
        parts.append(f"{title}\n{'-' * len(title)}\n\n.. code-block:: text\n\n{body}\n")
    return "\n".join(parts)


def skip_machinery(
    app: Sphinx, what: str, name: str, thing: object, skip: bool, options: dict
) -> bool | None:
    """Leave out the methods that scikit-learn's bases generate."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def list_teaching() -> None:
    """The contents list of the teaching guide, its index first, for as many pages as there are."""
    pages = sorted(
        (path.stem for path in (DOCS / "teaching").glob("*.md")), key=lambda stem: (stem != "index", stem)
    )
    listed = "\n".join(f"teaching/{page}" for page in pages)
    contents = f"```{{toctree}}\n:caption: Teaching\n:maxdepth: 1\n\n{listed}\n```\n"
    write(GENERATED / "teaching.md", contents if pages else "")


def prepare(_: Sphinx) -> None:
    """Write all generated pages before Sphinx looks for sources."""
    copy_lessons()
    list_teaching()
    write_play()
    write_api()


def copy_scripts(app: Sphinx, exception: Exception | None) -> None:
    """Put MathJax and the explorers beside the pages, so that they need no network."""
    if exception is None and app.builder.format == "html":
        source = Path(jupyter_server_mathjax.__file__).parent / "static"
        shutil.copytree(source, Path(app.outdir) / "_static" / "mathjax", dirs_exist_ok=True)
        target = Path(app.outdir) / "_static" / "play"
        shutil.copytree(
            GENERATED / "explorers",
            target,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.html", "*.txt"),
        )


def keep_alternative_texts() -> None:
    """MyST-NB keeps only width and height of a picture's metadata; keep what it says to those who cannot see it."""
    render = NbElementRenderer.render_image

    def render_with_alt(self, data: MimeData) -> list:
        rendered = render(self, data)
        alt = data.output_metadata.get(data.mime_type, {}).get("alt")
        for node in rendered:
            if alt:
                node["alt"] = alt
        return rendered

    NbElementRenderer.render_image = render_with_alt


def setup(app: Sphinx) -> dict:
    """Sphinx calls this."""
    keep_alternative_texts()
    app.connect("builder-inited", prepare, priority=100)
    app.connect("autodoc-skip-member", skip_machinery)
    app.connect("build-finished", copy_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
