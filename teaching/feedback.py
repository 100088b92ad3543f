"""The page a student gets back: points, what to do, and the notebook as it ran. One file that needs no network."""

import html
import re
import secrets
from copy import deepcopy
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from latex2mathml.converter import convert
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors.sanitize import ALLOWED_TAGS, SanitizeHTML
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from pygments.formatters import HtmlFormatter

from teaching.faults import FAULTS
from teaching.notebooks import grade_id, is_test, is_written

ATTACHMENT = re.compile(r"attachment:([^)\s\"'>]*)")
FORMULA = re.compile(
    r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$\n]+(?:\n[^$\n]+)*?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(),
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
)  # fmt: skip
TEMPLATES.filters |= {"number": "{:g}".format}


def page(name: str, result: Any, notebook: NotebookNode | None) -> str:
    """The page of one submission's `teaching.one.Result`; ``notebook`` as it ran, None if there was nothing to run."""
    style = Markup(HtmlFormatter().get_style_defs(".highlight"))
    cells = _cells(notebook, result) if notebook else ""
    shown = {"name": name, "result": result, "kinds": FAULTS, "cells": Markup(cells), "style": style}
    return TEMPLATES.get_template("feedback.html").render(shown)


def _cells(notebook: NotebookNode, result: Any) -> str:
    """The notebook with what each task earned in the place of its test."""
    clean = deepcopy(notebook)
    for cell in clean.cells:
        there = cell.get("attachments", ())
        for name in set(ATTACHMENT.findall(cell.source)) - set(there) if cell.cell_type == "markdown" else ():
            cell.source = cell.source.replace(f"attachment:{name}", "(missing picture)")
    sanitise = SanitizeHTML(enabled=True, tags=sorted({*ALLOWED_TAGS, "details", "summary", "img"}))
    clean, _ = sanitise.preprocess(clean, {})
    mark, kept, cells = secrets.token_hex(8), [], []

    def keep(text: str) -> str:
        """A mark in the place of HTML that must pass nbconvert as it is."""
        kept.append(text)
        return f"{mark}n{len(kept) - 1}x"

    tasks, box = {task.task: task for task in result.tasks}, TEMPLATES.get_template("task.html")
    for cell in clean.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(lambda match: match[1] or keep(_formula(match)), cell.source)
        if not is_test(cell):
            cells.append(cell)
        if is_test(cell) or is_written(cell):
            cells.append(new_markdown_cell(f"<div>{keep(box.render(task=tasks[grade_id(cell)]))}</div>"))
    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    text, _ = exporter.from_notebook_node(new_notebook(cells=cells))
    return re.sub(rf"{mark}n(\d+)x", lambda match: kept[int(match[1])], text)


def _formula(match: re.Match) -> str:
    """A formula as MathML, or as it was written where that fails."""
    text, display = html.unescape(match[2] or match[3]), "block" if match[2] else "inline"
    try:
        if re.search(r"\\(href|style|class|id)\b", text):
            raise ValueError("no links in formulas")
        made = convert(text, display=display)
        if "<" in re.sub(r"</?m[a-z]+( [^<>]*)?>", "", made):  # a letter that is markup inside the formula
            raise ValueError("markup in a formula")
        return made
    except Exception:  # whatever a student may have written
        return f"<code>{html.escape(match[0])}</code>"
