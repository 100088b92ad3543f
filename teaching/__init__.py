"""Assignments: the students' release from the sources, and grading of what comes back.

nbgrader makes the release and keeps the gradebook. A submission runs in an ordinary Jupyter kernel inside
bubblewrap, with limits on time, memory and files, and is judged from outside. Needs ``pip install
".[teach]"`` in a clone, and Linux or macOS; where bubblewrap does not work, grading says so and wants
``--unconfined``. See ``docs/teaching/grading.md``.

``python -m teaching assignments`` and ``python -m teaching grade FOLDER`` are what
``make assignments`` and ``make grade SUBMITTED=FOLDER`` call.
"""
