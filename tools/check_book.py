"""Check the built book: every link inside it leads somewhere, nothing is loaded from the network, pictures have texts.

Usage: ``python tools/check_book.py docs/_build/html``; exit code 1 and one line for each fault.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
"""Where a page names what the browser fetches to show it."""
UNFETCHED_LINKS = {"canonical", "alternate", "search", "next", "prev", "index", "author"}


class Page(HTMLParser):
    """Anchors, links, loaded files and pictures of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.bare_pictures: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        """Note what the tag says."""
        named = dict(attributes)
        self.anchors |= {named[key] for key in ("id", "name") if named.get(key)}
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])
        if tag == "img" and "alt" not in named:
            self.bare_pictures.append(named.get("src", "?"))
        if tag == "link" and UNFETCHED_LINKS & set(named.get("rel", "").split()):
            return
        self.loaded += [named[key] for kind, key in LOADED if kind == tag and named.get(key)]


def faults(book: Path) -> list[str]:
    """One line for each dead link, each file loaded from elsewhere, and each picture without alternative text."""
    pages = {path: Page(path) for path in sorted(book.rglob("*.html")) if "_static" not in path.parts}
    found = [] if pages else [f"{book}: no page"]
    for path, page in pages.items():
        name = path.relative_to(book)
        found += [f"{name}: picture without alternative text: {source}" for source in page.bare_pictures]
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
