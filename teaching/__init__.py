"""Assignments: the students' release from the sources, and grading of what comes back.

Built on nbgrader (release, gradebook, feedback pages); what runs a submission is ours: each one in a
process of its own with limits on time, memory and files, judged from outside. Needs ``pip install
".[teach]"`` in a clone, and Linux or macOS. On Linux the kernel confines a submission (Landlock); elsewhere
only Python's audit hook does, and the table of points says so. See ``docs/teaching/grading.md``.

``python -m teaching assignments`` and ``python -m teaching grade FOLDER`` are what
``make assignments`` and ``make grade SUBMITTED=FOLDER`` call.
"""
