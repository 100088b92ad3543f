"""What the check of the built book sees, on a small page with one planted fault at a time."""

import re
from pathlib import Path

import pytest

from tools.check_book import faults

GOOD = """<html><head><title>costs $5</title></head><body>
<p>Text with a formula <span class="math notranslate">\\(\\tau\\)</span>, code <code>$HOME</code>,
an <a href="#place">inner</a> link, a picture <img src="dot.png" alt="a dot"> and <br> a break.</p>
<pre>\\alpha stays $raw$ here</pre><p id="place">The end.</p></body></html>"""


@pytest.fixture
def book(tmp_path):
    (tmp_path / "dot.png").write_bytes(b"")

    def write(text):
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        return faults(tmp_path)

    return write


def test_a_good_page_has_no_fault(book):
    assert book(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("#place", "#nowhere", "no such place"),
        ("#place", "gone.html", "dead link"),
        ('src="dot.png"', 'src="gone.png"', "missing file"),
        ('src="dot.png"', 'src="https://example.org/dot.png"', "loaded from the network"),
        (' alt="a dot"', "", "without alternative text"),
        ("The end.", "so $x = 1", "shown raw"),
        ("The end.", "then \\mathbb{R} follows", "shown raw"),
        ("<br>", "<br><b>\\frac12</b>", "shown raw"),
    ],
)
def test_a_planted_fault_is_seen(book, old, new, said):
    found = book(GOOD.replace(old, new))
    assert len(found) == 1
    assert said in found[0]


def test_an_empty_folder_is_no_book(tmp_path):
    assert faults(tmp_path)


def test_the_code_on_the_page_about_systems_runs(tmp_path, monkeypatch):
    """A page of the book whose code no lesson runs."""
    page = Path(__file__).resolve().parents[2] / "docs" / "in_a_system.md"
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    exec(compile(code, page.name, "exec"), space)
    assert (tmp_path / "closer.safetensors").exists()
    assert space["texts"].shape == (1, 512)
    assert (space["radius"] > 0).all()
