"""The judge's end of a submission: starts its kernel, runs cells, asks for values, and stops it when its time is up.

A cell that ends the kernel costs itself only: a new kernel is started and runs the cells before it again.
"""

import base64
import builtins
import contextlib
import functools
import os
import secrets
import select
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import psutil
import torch
import zmq
from jupyter_client import BlockingKernelClient
from nbformat import NotebookNode
from nbformat.v4 import new_output

from teaching import confine
from teaching.faults import Fault
from teaching.inside import connection_info, values
from teaching.inside.calls import MIME
from teaching.notebooks import is_base64

MAX_RESTARTS = 4
SHOWN = ("stream", "error", "display_data", "execute_result")
MAX_OUTPUTS, MAX_TEXT, MAX_IMAGE = 30, 20_000, 2_000_000
_LOOK = 0.25  # seconds between looks at how much a kernel has computed
_GRACE = 2.0  # seconds between asking a cell to stop and ending its kernel
_IMPORTS = 2**30  # bytes that the imports and a few processes may hold without being counted
_START = 180.0  # seconds for the imports, on a busy machine


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    cell : seconds of computing for one cell or call
    total : seconds of computing for all of them
    memory : bytes beyond what the imports take
    patience : how many times these seconds may pass on the clock, for machines that are busy with other things
    """

    cell: float = 30.0
    total: float = 240.0
    memory: int = 1536 * 2**20
    patience: float = 4.0


class StudentGone(Exception):
    """The submission has no kernel any more, so nothing can be asked of it."""


class StudentKernel(contextlib.AbstractContextManager):
    """A submission's kernel, as the judge sees it.

    Parameters
    ----------
    limits : what it may use
    data : files that lie beside the notebook
    hidden : folders that it must not see
    readable : further files that it may read
    confined : whether it runs in the sandbox

    Attributes
    ----------
    faults : what was found, in order
    cell : the cell that is being run or asked for; whoever uses this sets it
    """

    def __init__(
        self, *, limits: Limits | None = None, data: Iterable[Path] = (), hidden: Iterable[Path] = (),
        readable: Iterable[Path] = (), confined: bool = True,
    ):  # fmt: skip
        self.faults: list[Fault] = []
        self.limits, self.cell = limits or Limits(), ""
        fonts = Path(matplotlib.get_cachedir()).glob("fontlist-*")
        files = {path.name: path for path in data}
        files |= {f".cache/matplotlib/{path.name}": path for path in fonts}
        seen = {"files": files, "hidden": list(hidden), "readable": list(readable)}
        self._launch = functools.partial(confine.start, **seen, confined=confined)
        self._limits = [str(self.limits.memory), str(confine.PROCESSES if confined else 0)]
        self._spent, self._restarts, self._gone = 0.0, 0, False
        self._ran: list[str] = []
        self._sandbox: confine.Sandbox | None = None
        self._start()

    def run_cell(self, source: str) -> list[dict]:
        """Run a notebook cell and return its outputs."""
        reply, outputs = self._ask(source)
        if not any(fault.kind == "time" and fault.cell == self.cell for fault in self.faults):
            self._ran.append(source)
        self._remark(reply)
        return outputs

    def kinds(self, names: Iterable[str]) -> dict[str, str]:
        """For each name "function", "value", or "missing" (as a module is to the tests)."""
        return self._value({"do": "kinds", "names": sorted(names)})

    def value(self, name: str) -> Any:
        """The value of a variable."""
        return self._value({"do": "value", "name": name})

    def call(self, name: str, arguments: tuple, options: dict) -> Any:
        """What a function of the submission returns; arrays that it changes change here too."""
        reply = self._value({"do": "call", "name": name, "arguments": list(arguments), "options": options})
        for position, new in reply["changed"].items():
            old = arguments[int(position)]
            if isinstance(old, np.ndarray | torch.Tensor) and getattr(new, "shape", None) == old.shape:
                old[...] = new
        return reply["value"]

    def __exit__(self, *_) -> None:
        """End the kernel and everything it started."""
        self._gone = True
        self._end()

    def _start(self) -> None:
        """Start a kernel and wait until its imports are done and its sockets are there."""
        key = secrets.token_hex(16)
        self._sandbox = self._launch(["-m", "teaching.inside", key, *self._limits])
        said, deadline, pipe = b"", time.monotonic() + _START, self._sandbox.process.stdout
        while not said.endswith(b"ready\n"):
            ready = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]
            come = os.read(pipe.fileno(), 2**16) if ready else b""
            if not come:
                self._sandbox.end()
                text = " ".join(said.decode(errors="replace").split())[-300:]
                raise RuntimeError(f"the kernel for the submission did not start: {text}")
            said += come
        context = zmq.Context()
        context.maxmsgsize, context.rcvhwm, context.linger = 2 * values.MAX_BYTES, 8, 0
        self._client = BlockingKernelClient(context=context)
        self._client.load_connection_info(connection_info(str(self._sandbox.home), key))
        self._client.start_channels(stdin=False, hb=False)
        self._first_process = psutil.Process(self._sandbox.pid)
        self._client.kernel_info()
        while not self._client.iopub_channel.socket.poll(250):  # not connected yet: outputs would be lost
            self._client.kernel_info()
            if time.monotonic() > deadline:
                raise RuntimeError("the kernel for the submission does not answer")

    def _end(self) -> None:
        if self._sandbox is not None:
            self._client.stop_channels()
            self._client.context.destroy(linger=0)
            self._sandbox.end()
            self._sandbox = None

    def _again(self) -> None:
        """A new kernel in the place of one that has ended; the cells that came through run once more."""
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            self._gone = True
            raise StudentGone
        self._start()
        ran, self._ran = self._ran, []
        for source in ran:
            with contextlib.suppress(StudentGone):  # it came through before; now it is left out
                self._ask(source)
                self._ran.append(source)

    def _value(self, request: dict) -> Any:
        text = base64.b64encode(values.pack(request)).decode()
        reply, _ = self._ask("", f"__import__('sys').modules['teaching.inside.calls'].ask({text!r})")
        answer = reply.get("user_expressions", {}).get("answer", {}) if reply.get("status") == "ok" else reply
        if answer.get("status") != "ok":
            self._remark(answer)
            _raise(str(answer.get("ename")), str(answer.get("evalue"))[:1000])
        try:
            return values.unpack(base64.b64decode(answer["data"][MIME]))
        except (values.ProtocolError, KeyError, TypeError, ValueError):
            raise ValueError("what came back is no value") from None

    def _ask(self, source: str, expression: str = "") -> tuple[dict, list[dict]]:
        """Let the kernel run ``source`` and then work ``expression`` out; its reply, and what it has shown."""
        while self._sandbox is None and not self._gone:
            self._again()
        if self._gone:
            raise StudentGone
        request = _Request(min(self.limits.cell, max(0.0, self.limits.total - self._spent)))
        request.number = self._client.execute(
            source, store_history=False, allow_stdin=False, stop_on_error=False,
            user_expressions={"answer": expression} if expression else {},
        )  # fmt: skip
        try:
            self._wait_for(request)
        except Exception as fault:  # a message that cannot be read: the kernel does not send such
            self._add("protocol", type(fault).__name__)
            self._gone, request.reply = True, None
        self._spent += request.spent(self.limits.patience)
        self._gone |= self._spent >= self.limits.total
        if request.reply is None or self._gone:
            self._end()
        if request.reply is None:
            raise StudentGone
        return request.reply, request.outputs

    def _wait_for(self, request: "_Request") -> None:
        """Wait for the reply; if there is none in time or the kernel has ended, why is among the faults."""
        channels = (self._client.iopub_channel, self._client.shell_channel)
        deadline, look = (request.begun + wait for wait in (request.budget * self.limits.patience, _LOOK))
        late = False
        while not request.over():
            ready = zmq.select([channel.socket for channel in channels], [], [], _LOOK)[0]
            for channel in (channel for channel in channels if channel.socket in ready):
                request.take(channel.get_msg(timeout=0))
            if request.reply or time.monotonic() < look:
                continue
            look = time.monotonic() + _LOOK
            code = self._sandbox.process.poll()
            if code is not None:
                return self._add(*_why_ended(code))
            self._look(request)
            if self._gone or (late and look > deadline):
                return None
            if not late and (look > deadline or request.computed > request.budget):
                self._add("time", f"over {request.budget:.3g} s")
                late, deadline = True, look + _GRACE
                self._client.control_channel.send(self._client.session.msg("interrupt_request", {}))
        return None

    def _look(self, request: "_Request") -> None:
        """Look at all processes of the submission: what they have computed, how many they are, what they hold."""
        family, computed, held = [self._first_process], 0.0, 0
        with contextlib.suppress(psutil.Error):
            family += self._first_process.children(recursive=True)
        for process in family:
            with contextlib.suppress(psutil.Error):
                computed += sum(process.cpu_times()[:4])
                held += process.memory_info().rss
        request.looked(computed)
        if len(family) > confine.PROCESSES or held > 2 * self.limits.memory + _IMPORTS:
            self._add("swarm", f"{len(family)} processes with {held >> 20} MiB")
            self._gone = True

    def _remark(self, reply: Mapping) -> None:
        """Keep what ended a cell or a call, where it is more than a mistake."""
        name, said = str(reply.get("ename", "")), str(reply.get("evalue", ""))
        if name in ("SyntaxError", "IndentationError", "TabError"):
            self._add("syntax", name)
        elif name in ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError") or "t allocate memory" in said:
            self._add("memory")
        elif name == "SystemExit":
            self._add("exit", "sys.exit()")

    def _add(self, kind: str, detail: str = "") -> None:
        if not any(fault.kind == kind and fault.cell == self.cell for fault in self.faults):
            self.faults.append(Fault(kind, self.cell, detail))


class _Request:
    """One request to a kernel: how long it may take, how long it took, what was shown."""

    def __init__(self, budget: float):
        self.budget, self.number = budget, ""
        self.begun = time.monotonic()
        self.computed, self.idle, self.reply = 0.0, False, None
        self.outputs: list[NotebookNode] = []
        self._first: float | None = None

    def looked(self, computed: float) -> None:
        """Processes have computed so long in all, since they began."""
        if self._first is None:  # the first look comes late, and until then the clock counts
            self._first = computed - (time.monotonic() - self.begun)
        self.computed = max(self.computed, computed - self._first)

    def over(self) -> bool:
        """Whether the reply is there, and all that was shown before it, which comes by another way."""
        return self.reply is not None and (self.idle or time.monotonic() > self._heard + 1.0)

    def spent(self, patience: float) -> float:
        """Seconds of computing; sleeping counts as well, though less, so that the clock's total is bounded too."""
        passed = time.monotonic() - self.begun
        return passed if self._first is None else max(self.computed, passed / patience)

    def take(self, message: Mapping) -> None:
        """Keep the reply to this request, and what it shows, as far as there is room."""
        if message["parent_header"].get("msg_id") != self.number:
            return
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_reply":
            self.reply, self._heard = dict(content), time.monotonic()
        elif kind == "status":
            self.idle = content.get("execution_state") == "idle"
        elif kind == "stream" and self.outputs and self.outputs[-1].output_type == kind:
            self.outputs[-1].text = (self.outputs[-1].text + str(content.get("text")))[:MAX_TEXT]
        elif kind in SHOWN and len(self.outputs) < MAX_OUTPUTS:
            self.outputs.append(_output(kind, content))


def _output(kind: str, content: dict) -> NotebookNode:
    """A notebook's output of what was shown, as far as a page may hold it: cut to be read, no HTML, no scripts."""

    def text(name: str) -> str:
        said = str(content.get(name, ""))
        return said if len(said) <= MAX_TEXT else said[:MAX_TEXT] + " …"

    if kind == "stream":
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        return new_output(kind, name=name, text=text("text"))
    if kind == "error":
        lines = [str(line)[:MAX_TEXT] for line in list(content.get("traceback") or ())[:100]]
        return new_output(kind, ename=text("ename"), evalue=text("evalue"), traceback=lines)
    content = dict(content.get("data") or {})
    pictures = {f"image/{form}": content.get(f"image/{form}") for form in ("png", "jpeg")}
    data = {name: image for name, image in pictures.items() if is_base64(image) and len(image) <= MAX_IMAGE}
    return new_output(kind, data={"text/plain": text("text/plain"), **data})


def _why_ended(code: int) -> tuple[str, str]:
    """The fault that an exit code tells of; bubblewrap adds 128 to the signal."""
    number = -code if code < 0 else code - 128
    if number == signal.SIGKILL:
        return "memory", "ended by the system"
    with contextlib.suppress(ValueError):
        return "crash", signal.Signals(number).name
    return "exit", f"exit code {code}"


def _raise(name: str, said: str) -> None:
    """The exception that a submission's function has raised, as far as it is one of Python's own."""
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception) and not issubclass(known, UnicodeError):
        raise known(said)
    raise RuntimeError(f"{name}: {said}")
