"""Check the built book: links inside it lead somewhere, nothing comes from the network, formulas and pictures are whole.

Usage: ``python tools/check_book.py docs/_build/html``; exit code 1 and one line for each fault.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
"""Where a page names what the browser fetches to show it."""
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
VERBATIM = {"pre", "code", "script", "style", "textarea", "svg", "title"}
RAW_TEX = re.compile(r"\$|\\[a-zA-Z]{2,}")
UNFETCHED_LINKS = {"canonical", "alternate", "search", "next", "prev", "index", "author"}


class Page(HTMLParser):
    """Anchors, links, loaded files and pictures of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.bare_pictures: list[str] = []
        self.raw_formulas: list[str] = []
        self._inside: list[
            bool
        ] = []  # for each open element, whether dollars and backslashes are meant there
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        """Note what the tag says."""
        named = dict(attributes)
        if tag not in VOID:
            meant = tag in VERBATIM or "math" in (named.get("class") or "").split()
            self._inside.append(meant or bool(self._inside and self._inside[-1]))
        self.anchors |= {named[key] for key in ("id", "name") if named.get(key)}
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])
        if tag == "img" and "alt" not in named:
            self.bare_pictures.append(named.get("src", "?"))
        if tag == "link" and UNFETCHED_LINKS & set(named.get("rel", "").split()):
            return
        self.loaded += [named[key] for kind, key in LOADED if kind == tag and named.get(key)]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if tag not in VOID and self._inside:
            self._inside.pop()

    def handle_data(self, text: str) -> None:
        """Text outside formulas and code must hold no TeX: there a formula was torn apart."""
        if not (self._inside and self._inside[-1]) and (torn := RAW_TEX.search(text)):
            self.raw_formulas.append(" ".join(text[max(0, torn.start() - 30) : torn.end() + 30].split()))


def faults(book: Path, *, formulas: bool = True) -> list[str]:
    """One line for each dead link, each file loaded from elsewhere, each picture without alternative text, each torn formula.

    Parameters
    ----------
    book : its folder
    formulas : whether to look for raw TeX (not in pages whose formulas are only found when they are shown)
    """
    pages = {path: Page(path) for path in sorted(book.rglob("*.html")) if "_static" not in path.parts}
    found = [] if pages else [f"{book}: no page"]
    for path, page in pages.items():
        name = path.relative_to(book)
        found += [f"{name}: picture without alternative text: {source}" for source in page.bare_pictures]
        found += [f"{name}: a formula that is shown raw: {text}" for text in page.raw_formulas if formulas]
        for target in page.loaded:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https") or parts.netloc:
                found.append(f"{name}: loaded from the network: {target}")
            elif not parts.scheme and not (path.parent / unquote(parts.path)).is_file():
                found.append(f"{name}: missing file: {target}")
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if there.is_dir():
                there /= "index.html"
            if not there.is_file():
                found.append(f"{name}: dead link: {link}")
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
                found.append(f"{name}: no such place: {link}")
    return found


def main(arguments: list[str]) -> int:
    """Check the book in the folder named; returns the exit code."""
    found = faults(Path(arguments[0]).resolve())
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
