"""A class on two cores: thirty submissions of A3, which computes most, with feedback pages and tables."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat

from benchmarks.rows import Row
from teaching import confine, course
from teaching.grade import grade_folder


def rows(*, quick: bool = False, repeats: int = 3) -> Iterator[Row]:
    """One row, measured once: it takes minutes."""
    count = 4 if quick else 30
    with tempfile.TemporaryDirectory() as place:
        built = Path(place, "course")
        course.build(course=built, only="A3")
        for number in range(count):
            path = Path(place, "in", f"student{number:02d}", "A3.ipynb")
            path.parent.mkdir(parents=True)
            nbformat.write(course.solution(built, "A3"), path)
        begun = time.perf_counter()
        done = grade_folder(
            Path(place, "in"), course=built, out=Path(place, "out"), confined=not confine.why_not()
        )
        seconds = time.perf_counter() - begun
    if {submission.result.points for submission in done} != {100.0}:
        raise RuntimeError("a right answer has lost points")
    without = " without the sandbox" if confine.why_not() else ""
    yield Row(f"{count} submissions of A3, two at a time{without}", seconds, most=12.0 * count)
