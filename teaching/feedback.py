"""The page a student gets back: points, what to do, and the notebook as it ran. One file that needs no network."""

import html
import re
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from string import Template

from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors.sanitize import ALLOWED_TAGS, SanitizeHTML
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from pygments.formatters import HtmlFormatter

from teaching.faults import FAULTS, Fault
from teaching.notebooks import grade_id, is_test, is_written

ATTACHMENT = re.compile(r"attachment:([^)\s\"'>]*)")
FORMULA = re.compile(
    r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$\n]+(?:\n[^$\n]+)*?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)
PAGE = Template((Path(__file__).parent / "templates" / "feedback.html").read_text(encoding="utf-8"))


def page(name: str, result: dict, notebook: NotebookNode | None) -> str:
    """The page of one submission.

    Parameters
    ----------
    name : the assignment
    result : what `teaching.one.Result` holds
    notebook : as it ran; None if there was nothing to run
    """
    top = [f"<h1>{_escape(name)}: {result['points']:g} of {result['most']:g} points</h1>"]
    top += [f"<p>{line}</p>" for line in remarks(result)]
    if notebook is not None:
        top += ["<table><tr><th>task</th><th>points</th><th>remark</th></tr>"]
        top += [_row(task) for task in result["tasks"]] + ["</table>"]
    body = "".join(top) + (_cells(notebook, result) if notebook is not None else "")
    style = HtmlFormatter().get_style_defs(".highlight")
    return PAGE.substitute(title=f"{_escape(name)}: feedback", highlight=style, body=body)


def remarks(result: dict) -> list[str]:
    """What is wrong with the whole submission, and what to do about it, as HTML."""
    lines = []
    for fault in (Fault(**fault) for fault in result["faults"]):
        kind = FAULTS[fault.kind]
        if kind.costs_all:
            lines.append(
                f"<strong>Your hand-in {_escape(kind.said)}</strong> {_detail(fault)}. {_escape(kind.advice)}"
            )
        elif kind.advice:
            lines.append(
                f"<strong>{_escape(_place(fault.cell))} {_escape(kind.said)}</strong> {_detail(fault)}. {_escape(kind.advice)}"
            )
    if result["points"] < result["earned"] and any(
        FAULTS[fault["kind"]].costs_all for fault in result["faults"]
    ):
        lines.append("Therefore no points are given until your teacher has looked at it.")
    elif result["points"] < result["earned"]:
        lines.append(
            f"{result['earned']:g} points, less {result['earned'] - result['points']:g} for being late."
        )
    if result["waiting"]:
        lines.append(
            f"{len(result['waiting'])} written answer(s) still wait for a person; they count 0 so far."
        )
    return lines


def _place(cell: str) -> str:
    return f"The cell {cell}" if cell else "A cell"


def _detail(fault: Fault) -> str:
    return f"({_escape(fault.detail)})" if fault.detail else ""


def _row(task: dict) -> str:
    said = task["message"] or (
        "right" if task["points"] == task["most"] else "not counted, for the reason above"
    )
    points = f"{task['points']:g} of {task['most']:g}"
    return f"<tr><td>{task['task']}</td><td>{points}</td><td>{_escape(said)}</td></tr>"


def _cells(notebook: NotebookNode, result: dict) -> str:
    """The notebook with what each task earned in the place of its test."""
    clean = deepcopy(notebook)
    for cell in clean.cells:
        if cell.cell_type == "markdown":
            kept = set(cell.get("attachments") or {})
            cell.source = ATTACHMENT.sub(
                lambda match, kept=kept: match[0] if match[1] in kept else "(missing picture)", cell.source
            )
    sanitise = SanitizeHTML(enabled=True, tags=sorted({*ALLOWED_TAGS, "details", "summary", "img"}))
    clean, _ = sanitise.preprocess(clean, {})
    formulas: list[str] = []
    tasks = {task["task"]: task for task in result["tasks"]}
    cells = []
    for cell in clean.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(lambda match: _formula(match, formulas), cell.source)
        if not is_test(cell):
            cells.append(cell)
        if is_test(cell) or is_written(cell):
            cells.append(new_markdown_cell(_box(tasks[grade_id(cell)])))
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    text, _ = exporter.from_notebook_node(new_notebook(cells=cells))
    return re.sub(r"gapkitformula(\d+)x", lambda match: formulas[int(match[1])], text)


def _box(task: dict) -> str:
    """What a task earned, check by check."""
    lost = task["earned"] < task["most"] and not task["waiting"]
    lines = [f"<strong>{task['task']}: {task['earned']:g} of {task['most']:g} points</strong>"]
    if len(task["checks"]) > 1:
        for title, points, passed, message in task["checks"]:
            said = "right" if passed else _escape(message)
            lines.append(f"{_escape(title)}: {points if passed else 0:g} of {points:g} points ({said})")
    elif task["message"]:
        lines.append(_escape(task["message"]))
    return f'<div class="task{" lost" if lost else ""}">{"<br>".join(lines)}</div>'


def _formula(match: re.Match, formulas: list[str]) -> str:
    """A mark in the place of a formula, which is kept as MathML, or as it was written where that fails."""
    if match[1]:
        return match[1]
    text, display = html.unescape(match[2] or match[3]), "block" if match[2] else "inline"
    try:
        if re.search(r"\\(href|style|class|id)\b", text):
            raise ValueError("no links in formulas")
        made = convert(text, display=display)
        if "<" in re.sub(r"</?m[a-z]+( [^<>]*)?>", "", made):  # a letter that is markup inside the formula
            raise ValueError("markup in a formula")
    except Exception:  # whatever a student may have written
        made = f"<code>{html.escape(match[0])}</code>"
    formulas.append(made)
    return f"gapkitformula{len(formulas) - 1}x"


def _escape(text: str) -> str:
    """``text`` on one line, so that it is neither markup nor Markdown."""
    text = html.escape(" ".join(str(text).split())[:600])
    for sign in "|`[]$*_\\~":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text


def messages(faults: Iterable[Fault]) -> str:
    """Several faults in one line."""
    return "; ".join(map(str, faults))
