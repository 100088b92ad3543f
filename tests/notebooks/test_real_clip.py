"""Lesson 03 measures the real CLIP of section 6 where its embeddings are in the cache, and says so where not."""

import dataclasses
import hashlib

import jupytext
import numpy as np
import pytest

from gapkit.embeddings import fetch_embeddings, load_embeddings, published_sets
from gapkit.geometry import (
    gap_vector,
    relative_variance,
    relative_variance_band,
    subspace_share,
    subspace_share_chance,
)
from gapkit.geometry.bootstrap import bootstrap_interval
from gapkit.geometry.orthogonality import place_in_band
from tests.notebooks.lessons import NOTEBOOKS

NAME, CONTROL = "coco500-clip-vitb16", "coco500-clip-vitb16-random"
SOURCE = NOTEBOOKS / "03_is_the_gap_orthogonal.py"


@pytest.fixture
def lesson():
    """What section 6 needs of the lesson, and the cell of section 6 that measures and prints."""
    cells = [cell.source for cell in jupytext.read(SOURCE).cells if cell.cell_type == "code"]

    def holding(mark: str) -> str:
        found = [cell for cell in cells if mark in cell]
        assert len(found) == 1, f"{len(found)} cells hold {mark!r}"
        return found[0]

    space = {"REAL": 47}
    for mark in ("import gapkit\n", "def variance_rows(", "def share_rows(", "def real_clip("):
        exec(holding(mark), space)
    return space, holding("= real_clip(name)")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; returns the published file, or where it would be in the user's own cache."""
    theirs = published_sets()[NAME].path
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    return theirs


@pytest.fixture
def stand_in(tmp_path, cache, monkeypatch):
    """A file of the published one's shape in the cache: two cones, a few dimensions that vary, pairs that match."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((500, 512)) * np.geomspace(1, 0.01, 512)
    both = np.stack(
        [shared + 0.3 * rng.standard_normal((500, 512)) * np.geomspace(1, 0.1, 512) for _ in "ab"]
    )
    path = tmp_path / "made.npy"
    np.save(path, (both + 2 * rng.standard_normal((2, 1, 512)) / 5).astype(np.float32))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = dataclasses.replace(published_sets()[NAME], sha256=digest, bytes=path.stat().st_size)
    monkeypatch.setitem(published_sets(), NAME, entry)
    return fetch_embeddings(NAME, source=path)


@pytest.mark.slow
def test_the_cached_branch_measures_what_the_package_measures(stand_in, lesson, capsys):
    space, cell = lesson
    numbers = space["real_clip"](NAME)
    entries = load_embeddings(NAME)
    texts, images = (np.asarray(z, dtype=float) for z in (entries.texts, entries.images))
    g = gap_vector(texts, images)
    for side, z in (("texts", texts), ("images", images)):
        value, low, high, *edges = numbers[f"variance, {side}"]
        assert value == pytest.approx(relative_variance(z, g))
        assert tuple(edges) == relative_variance_band(z)[1:]

        def along(x, y, side=side):
            return relative_variance(x if side == "texts" else y, gap_vector(x, y))

        slow = bootstrap_interval(texts, images, statistic=along, resamples=200, method="basic")
        assert (low, high) == pytest.approx((slow.low, slow.high), abs=0.35 * (slow.high - slow.low))
    for k in (1, 10, 30, 100, 300, 499):
        value, low, high, *edges = numbers[f"share, k = {k}"]
        assert value == pytest.approx(subspace_share(texts, g, k) ** 2)
        assert tuple(edges) == pytest.approx(np.square(subspace_share_chance(k, 512)[1:]))
        assert 0 <= low < high <= 1

    space["CITED"][NAME] = numbers  # the cited numbers are those of another file
    capsys.readouterr()
    exec(cell, space)
    printed = capsys.readouterr().out
    assert f"{NAME}, measured here" in printed
    assert f"gapkit fetch {CONTROL}" in printed
    for what, (value, low, high, *edges) in numbers.items():
        (line,) = [line for line in printed.split(CONTROL)[0].splitlines() if what + " " in line]
        assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in line
        assert line.endswith(place_in_band(low, high, space["Band"](0, *edges)))


@pytest.mark.slow
def test_the_cited_numbers_are_those_of_the_published_file(cache, lesson, capsys):
    if not cache.is_file():
        pytest.skip(f"{NAME} is not in the user's cache")
    fetch_embeddings(NAME, source=cache)
    space, cell = lesson
    exec(cell, space)  # compares what it measures with what is cited
    assert f"{NAME}, measured here" in capsys.readouterr().out


def test_without_the_files_the_lesson_cites_and_says_what_to_type(cache, lesson, capsys):
    space, cell = lesson
    exec(cell, space)
    printed = capsys.readouterr().out
    for name in (NAME, CONTROL):
        assert f"to measure them: gapkit fetch {name}\n" in printed
    assert "measured here" not in printed
    assert str(cache.parent) not in printed
