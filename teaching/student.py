"""The judge's end of a submission's process: starts it, asks it, and stops it when its time is up."""

import builtins
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from teaching import codec
from teaching.channel import Channel
from teaching.faults import NOTES, Fault
from teaching.sandbox.start import Child, readable_paths, start_by_exec

_LOOK = 0.25  # seconds between looks at how long a cell has computed
_GRACE = 2.0  # seconds between asking a cell to stop and killing its process
MAX_LATE = 2
"""In how many cells a submission may run past its time before its process ends: one slow task is forgivable."""
_START = 120.0  # seconds for the imports, on a busy machine


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    cell : seconds of computing for one cell or call (of the clock where computing time cannot be told)
    total : seconds of computing for all of them
    memory : bytes beyond what the imports take
    patience : how many times these seconds may pass on the clock, for machines that are busy with other things
    """

    cell: float = 30.0
    total: float = 240.0
    memory: int = 1536 * 2**20
    patience: float = 4.0


class StudentGone(Exception):
    """The submission's process is no more, so nothing can be asked of it."""


class StudentProcess:
    """A submission's process, as the judge sees it.

    Parameters
    ----------
    folder : the only place where it may write
    limits : what it may use
    child : the process, started already and waiting; a new one when left out
    log : file for what it prints outside of cells

    Attributes
    ----------
    faults : what was found, in order
    landlock : whether the kernel confines it (else only Python's audit hook does)
    """

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits | None = None,
        child: Child | None = None,
        log: Path | None = None,
    ):
        self.faults: list[Fault] = []
        self.limits, self.cell = limits or Limits(), ""
        self.landlock = False
        self._spent = self._last = 0.0
        self._alive = True
        self._child = child or start_by_exec(folder, log)
        self._channel = Channel(self._child.source, self._child.sink, self._heard)
        self._greet(folder)

    def run_cell(self, source: str) -> list[dict]:
        """Run a notebook cell and return its outputs."""
        reply = self._ask({"do": "cell", "source": source})
        error, outputs = reply.get("error"), reply.get("outputs")
        outputs = outputs if isinstance(outputs, list) else []
        if isinstance(error, str) and error.startswith("before:"):
            self._add("syntax", error.removeprefix("before:"))
        else:
            last = outputs[-1] if outputs and isinstance(outputs[-1], dict) else {}
            self._note_error(error, str(last.get("evalue", "")))
        return outputs

    def kinds(self, names: Iterable[str]) -> dict[str, str]:
        """For each name "function", "value", "module" or "missing"."""
        names = sorted(names)
        kinds = self._ask({"do": "kinds", "names": names}).get("kinds")
        kinds = kinds if isinstance(kinds, dict) else {}
        return {name: str(kinds.get(name, "missing")) for name in names}

    def value(self, name: str) -> Any:
        """The value of a variable."""
        return self._result(self._ask({"do": "value", "name": name}))

    def call(self, name: str, arguments: tuple, options: dict) -> Any:
        """What a function of the submission returns; arrays that it changes change here too."""
        reply = self._ask({"do": "call", "name": name, "arguments": list(arguments), "options": options})
        result = self._result(reply)
        changed = reply.get("changed")
        for position, new in changed.items() if isinstance(changed, dict) else ():
            _write_back(arguments[int(position)], new)
        return result

    def close(self) -> None:
        """End the process and everything it started."""
        self._alive = False
        self._child.kill()

    def __enter__(self) -> "StudentProcess":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _greet(self, folder: Path) -> None:
        """Say where and how it may work, and wait until it has given up all other rights."""
        options = {
            "folder": str(folder.resolve()),
            "memory": self.limits.memory,
            "readable": readable_paths(),
        }
        deadline = time.monotonic() + _START
        try:
            self._channel.send(codec.pack(options), deadline)
            hello = self._channel.reply(deadline)
        except (OSError, codec.ProtocolError):
            hello = None
        if not isinstance(hello, dict) or not hello.get("ready"):
            self.close()
            raise RuntimeError("the process for the submission did not start; its log says why")
        self.landlock = bool(hello.get("landlock"))

    def _ask(self, request: dict) -> dict:
        if not self._alive:
            raise StudentGone
        budget = min(self.limits.cell, max(0.0, self.limits.total - self._spent))
        begun = self._computed()
        started = time.monotonic()
        deadline = started + budget * self.limits.patience
        reply, late = None, False
        try:
            self._channel.send(codec.pack(request), deadline)
            while reply is None and time.monotonic() < deadline and self._computed() - begun < budget:
                reply = self._channel.reply(min(deadline, time.monotonic() + _LOOK))
            if reply is None:
                self._add("time", f"over {budget:.3g} s")
                late = True
                os.kill(self._child.pid, signal.SIGINT)
                reply = self._channel.reply(time.monotonic() + _GRACE)
        except codec.ProtocolError:
            self._add("protocol")
        except OSError:
            reply = None  # the pipe is closed: the process has ended
        # Sleeping counts as well, though less, so the clock's total is bounded too.
        asleep = (time.monotonic() - started) / self.limits.patience
        self._spent += max(self._computed() - begun, asleep)
        spent = late and self._spent >= self.limits.total
        if not isinstance(reply, dict) or spent or self._late_cells() >= MAX_LATE:
            self._ended()
            raise StudentGone
        return reply

    def _late_cells(self) -> int:
        return sum(fault.kind == "time" for fault in self.faults)

    def _computed(self) -> float:
        """Seconds the process has computed so far; on a platform that does not tell, the clock."""
        try:
            fields = (
                Path(f"/proc/{self._child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            )
        except OSError:
            return self._last if os.path.exists("/proc/self/stat") else time.monotonic()
        self._last = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return self._last

    def _ended(self) -> None:
        """The process is dead or gets killed; say why if nothing else was said."""
        self._alive = False
        code = self._child.wait(0.5)
        self.close()
        if any(fault.kind in ("time", "protocol") for fault in self.faults if fault.cell == self.cell):
            return
        if code == -signal.SIGKILL:
            self._add("memory", "killed by the system")
        elif code is not None and code < 0:
            self._add("crash", signal.Signals(-code).name)
        else:
            self._add("exit", "" if code is None else f"exit code {code}")

    def _result(self, reply: dict) -> Any:
        error = reply.get("error")
        if error is None:
            return reply.get("value")
        said = str(reply.get("said", ""))[:1000]
        self._note_error(error, said)
        known = getattr(builtins, str(error), None)
        if isinstance(known, type) and issubclass(known, Exception):
            raise known(said) if known not in (UnicodeDecodeError, UnicodeEncodeError) else ValueError(said)
        raise RuntimeError(f"{error}: {said}")

    def _note_error(self, error: Any, said: str) -> None:
        if error == "SystemExit":
            self._add("exit", "exit() or sys.exit()")
        elif error in ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError") or "t allocate memory" in said:
            self._add("memory")

    def _add(self, kind: str, detail: str = "") -> None:
        fault = Fault(kind, self.cell, detail)
        if not any(one.kind == kind and one.cell == self.cell for one in self.faults):
            self.faults.append(fault)

    def _heard(self, message: dict) -> None:
        """Keep what the sandbox tells of something that it refused."""
        kind = str(message["tell"])
        known = kind in ("outside", "signal", *NOTES)
        self._add(kind if known else "protocol", str(message.get("what"))[:300])


def _write_back(old: Any, new: Any) -> None:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and old.shape == new.shape:
        old[...] = new
    elif isinstance(old, torch.Tensor) and isinstance(new, torch.Tensor) and old.shape == new.shape:
        old.copy_(new)
