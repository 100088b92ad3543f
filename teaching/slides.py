"""Makes slides of a lesson from its committed outputs: ``python -m teaching.slides 01``.

nbconvert renders the cells; nothing is run, and nothing is loaded from the network when the slides are
shown: pictures are inside the page, MathJax is copied into a folder beside it. A slide begins at each
heading, after each question to predict something, and before a second picture. Keys: arrows, space, Home, End; printing gives one page a slide.
"""

import argparse
import html
import re
import shutil
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^(?=#{1,3} )", flags=re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", flags=re.MULTILINE | re.DOTALL)
NEIGHBOUR = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]+\)")

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
{highlight}
body {{ margin: 0; font: 1.25rem/1.45 sans-serif; color: #111; background: #fff; }}
section {{ position: fixed; inset: 0; visibility: hidden; box-sizing: border-box; overflow: auto; padding: 3vh 7vw 9vh; }}
section.shown {{ visibility: visible; }}
img {{ max-width: 100%; max-height: 68vh; }}
pre {{ font-size: 0.95rem; white-space: pre-wrap; }}
table {{ border-collapse: collapse; }} td, th {{ padding: 0.1em 0.6em; border-bottom: 1px solid #bbb; }}
blockquote {{ margin: 0.5em 0; padding: 0.1em 1em; border-left: 0.3em solid #0072b2; }}
.prompt {{ display: none; }}
.running {{ color: #555; font-size: 1rem; }}
nav {{ position: fixed; bottom: 0; right: 0; padding: 0.4em 1em; background: #fff; font-size: 1rem; }}
@media print {{ nav {{ display: none; }} section {{ position: static; visibility: visible; break-after: page; }} }}
</style>
<script type="text/x-mathjax-config">
MathJax.Hub.Config({{messageStyle: "none", showMathMenu: false,
  "HTML-CSS": {{availableFonts: [], webFont: "STIX-Web", imageFont: null}},
  tex2jax: {{inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], displayMath: [["$$", "$$"], ["\\\\[", "\\\\]"]], processEscapes: true}}}});
</script>
<script src="mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"></script>
</head><body>
{slides}
<nav aria-live="polite"><button aria-label="back">←</button> <span></span> <button aria-label="on">→</button></nav>
<script>
const all = [...document.querySelectorAll("section")], count = document.querySelector("nav span");
let at = Math.max(0, (parseInt(location.hash.slice(1)) || 1) - 1);
function show(place) {{
  at = Math.min(Math.max(place, 0), all.length - 1);
  all.forEach((one, i) => one.classList.toggle("shown", i === at));
  count.textContent = (at + 1) + " / " + all.length;
  history.replaceState(null, "", "#" + (at + 1));
}}
const moves = {{ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1, Home: -1e9, End: 1e9}};
addEventListener("keydown", event => {{
  if (event.target.closest("summary, button") && event.key === " ") return;
  if (event.key in moves) {{ event.preventDefault(); show(at + moves[event.key]); }}
}});
const [back, on] = document.querySelectorAll("nav button");
back.onclick = () => show(at - 1);
on.onclick = () => show(at + 1);
show(at);
</script></body></html>
"""


def pictured(cell: nbformat.NotebookNode) -> bool:
    """Whether the cell shows a picture."""
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def in_slides(cells: list[nbformat.NotebookNode]) -> Iterator[tuple[str, list[nbformat.NotebookNode]]]:
    r"""Groups of cells, each with the heading it stands under ('' where it begins with one).

    >>> from nbformat.v4 import new_code_cell
    >>> cells = [new_markdown_cell("# One\ntext\n## Two\ntext"), new_code_cell("1 + 1")]
    >>> [(under, [cell.cell_type for cell in group]) for under, group in in_slides(cells)]
    [('', ['markdown']), ('', ['markdown', 'code'])]
    """
    heading, under, group = "", "", []
    for cell in cells:
        if cell.cell_type == "markdown":
            hidden = FENCE.sub(lambda found: " " * len(found[0]), cell.source)
            cuts = [0, *(match.start() for match in HEADING.finditer(hidden)), len(cell.source)]
            parts = [cell.source[a:b] for a, b in pairwise(cuts) if cell.source[a:b].strip()]
            cell_parts = [new_markdown_cell(NEIGHBOUR.sub(r"\1", part)) for part in parts]
        else:
            cell_parts = [cell]
        for part in cell_parts:
            headed = part.cell_type == "markdown" and re.match(r"#{1,3} ", part.source)
            asked = group and group[-1].cell_type == "markdown" and "**Predict" in group[-1].source
            if group and (headed or asked or (pictured(part) and any(map(pictured, group)))):
                yield under, group
                group, under = [], heading
            if headed:
                heading, under = part.source.split("\n", 1)[0].lstrip("# "), ""
            group.append(part)
    if group:
        yield under, group


def rendered(cell: nbformat.NotebookNode) -> str:
    """The cell as HTML; the code that draws a picture is folded away."""

    def body(one: nbformat.NotebookNode, **options) -> str:
        exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True, **options)
        return exporter.from_notebook_node(new_notebook(cells=[one]))[0]

    if not pictured(cell):
        return body(cell)
    code = body(nbformat.from_dict({**cell, "outputs": []}))
    return f"<details><summary>code</summary>{code}</details>{body(cell, exclude_input=True)}"


def make(number: str, out: Path) -> Path:
    """Write the slides of lesson ``number`` and MathJax beside them; returns the page's path."""
    import jupyter_server_mathjax

    found = sorted((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
    if len(found) != 1:
        sys.exit(f"no lesson {number} in notebooks/")
    slides = []
    for under, group in in_slides(nbformat.read(found[0], as_version=4).cells):
        running = f'<p class="running">{html.escape(under)} (continued)</p>' if under else ""
        slides.append(f"<section>{running}{''.join(map(rendered, group))}</section>")
    page = PAGE.format(
        title=found[0].stem, highlight=HtmlFormatter().get_style_defs(".highlight"), slides="\n".join(slides)
    )
    target = out / f"{found[0].stem}.slides.html"
    shutil.copytree(
        Path(jupyter_server_mathjax.__file__).parent / "static", out / "mathjax", dirs_exist_ok=True
    )
    target.write_text(page, encoding="utf-8")
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="its number, such as 01")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "slides")
    arguments = parser.parse_args()
    print(make(arguments.lesson, arguments.out))
