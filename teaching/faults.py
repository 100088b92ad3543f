"""What can be wrong with a submission as a whole, and what it then costs."""

from collections.abc import Iterable
from dataclasses import dataclass

FAULTS = {
    "unreadable": "is no readable notebook",
    "unknown": "belongs to no assignment that is known",
    "deleted": "lacks cells of the assignment",
    "duplicated": "holds cells of the assignment more than once",
    "edited": "has locked cells (tests or set-up) that were edited",
    "syntax": "has a cell that is no valid Python",
    "time": "ran past a time limit",
    "memory": "asked for more memory than is allowed",
    "exit": "ended its own process",
    "crash": "crashed its process",
    "outside": "tried to change files outside its own folder",
    "signal": "tried to signal other processes",
    "protocol": "sent the judge something that is no reply",
    "grader": "could not be graded: look at it yourself",
}
"""Faults that cost the submission its points, and what a report says of them."""

NOTES = {
    "process": "tried to start another process (refused)",
    "network": "tried to use the network (refused)",
    "several": "was handed in more than once: the newest was graded",
    "large": "has data files beside the notebook that are too large to go along",
    "model-answer": "has a written answer that is the model answer, word for word",
    "shortcut": "calls gapkit's own function in a task that asks to write it",
}
"""Remarks for the teacher that cost nothing."""


@dataclass(frozen=True)
class Fault:
    """One fault (or note): its kind, the cell it was found in, and particulars."""

    kind: str
    cell: str = ""
    detail: str = ""

    def __str__(self) -> str:
        said = FAULTS.get(self.kind) or NOTES.get(self.kind, self.kind)
        return said + (f" [{self.cell}]" if self.cell else "") + (f": {self.detail}" if self.detail else "")


def costly(faults: Iterable[Fault], forgiven: Iterable[str] = ()) -> list[Fault]:
    """Those of ``faults`` that cost the whole submission its points."""
    pardoned = set(forgiven)
    return [fault for fault in faults if fault.kind in FAULTS and fault.kind not in pardoned]
