"""What can be wrong with a submission, what it costs, and what is said about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Kind(NamedTuple):
    """What a report says of a fault, what its student should do, and whether it costs all points or only its tasks."""

    said: str
    advice: str = ""
    costs_all: bool = False


FAULTS = {
    # nothing to grade
    "unreadable": Kind("is not a readable notebook", "Open it in JupyterLab, save it, and hand it in again.", True),
    "other": Kind("is not a notebook", "Hand in the notebook, a file that ends in .ipynb.", True),
    "empty": Kind("is empty", "Nothing came with it: hand it in again.", True),
    "unknown": Kind("belongs to no assignment that is known", "Start from the notebook that was handed out.", True),
    "grader": Kind("could not be graded", "This is probably not your fault; your teacher will look at it.", True),
    # attempts to break out
    "protocol": Kind("sent the judge something that is not a reply", "Your teacher will look at it.", True),
    "swarm": Kind("started more processes, or held more memory in all, than is allowed", "Your teacher will look at it.", True),
    # what costs its own task
    "syntax": Kind("is not valid Python", "Run the cell; Python says where it stumbles."),
    "time": Kind("ran past its time", "Look for a loop without end, or for loops where an array operation would do."),
    "memory": Kind("asked for more memory than is allowed", "Look for an array with one axis too many."),
    "exit": Kind("ended the program", "Take exit(), quit() or sys.exit() out."),
    "crash": Kind("crashed the program", "Restart the kernel and run all cells to see it."),
    "deleted": Kind("is missing", "Keep every cell of the notebook; copy it back from the one that was handed out."),
    # what costs nothing
    "edited": Kind("is locked and was changed; it was put back"),
    "several": Kind("was handed in more than once"),
    "also": Kind("came with other files, which were not graded"),
    "late": Kind("was handed in late"),
    "unlisted": Kind("is of nobody on the roster"),
    "large": Kind("has data files beside the notebook that are too large to go along"),
    "model-answer": Kind("is the model answer, word for word"),
    "shortcut": Kind("calls gapkit's own function in a task that asks to write it"),
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One fault or remark: its kind, the cell it was found in, and particulars."""

    kind: str
    cell: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.cell or 'it'} {FAULTS[self.kind].said}" + (f": {self.detail}" if self.detail else "")


def costly(faults: Iterable[Fault], forgiven: tuple[str, ...] = ()) -> list[Fault]:
    """Those of ``faults`` that cost the whole submission its points."""
    return [fault for fault in faults if FAULTS[fault.kind].costs_all and fault.kind not in forgiven]
