"""The process a submission runs in: imports, gives up its rights, then does what the judge asks.

Started by `teaching.sandbox.start`; talks over two inherited pipes in frames of 4 bytes of length
and a message of `teaching.codec`. What comes out of here is never trusted.
"""

import importlib
import os
import signal
import struct
import types
from pathlib import Path

from teaching import codec
from teaching.channel import MAX_TELLS
from teaching.sandbox.landlock import restrict
from teaching.sandbox.limits import set_limits
from teaching.sandbox.shell import Shell, run_cell, start_shell
from teaching.sandbox.watch import watch


def serve(source: int, sink: int) -> None:
    """Take the options, give up all rights, then serve requests until the judge hangs up."""
    options = _receive(source)
    if options is None:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = Path(options["folder"])
    shell = start_shell()
    memory = set_limits(options["memory"])
    files = restrict(write=[folder, Path("/dev/null")], read=[Path(path) for path in options["readable"]])
    tells = 0

    def tell(kind: str, what: str) -> None:
        nonlocal tells  # the first few say it all, and a flood is a fault
        tells += 1
        if tells <= MAX_TELLS // 2:
            _send(sink, {"tell": kind, "what": what})

    watch(folder, tell)
    _send(sink, {"ready": True, "memory": memory, "landlock": files})
    while True:
        request = _receive(source)
        if request is None:
            return
        tells = 0
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            reply = _answer(shell, request)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            reply = {"error": "KeyboardInterrupt", "said": "interrupted", "outputs": []}
        except BaseException as fault:
            reply = {"error": type(fault).__name__, "said": str(fault)[:1000], "outputs": []}
        try:
            packed = codec.pack(reply)
        except BaseException as fault:
            packed = codec.pack({"error": type(fault).__name__, "said": str(fault)[:1000], "outputs": []})
        _write(sink, packed)


def _answer(shell: Shell, request: dict) -> dict:
    if request["do"] == "cell":
        error, outputs = run_cell(shell, request["source"])
        return {"error": error, "outputs": outputs}
    return answer_request(shell.user_ns, request)


def answer_request(space: dict, request: dict) -> dict:
    """Do what the judge asks of the names in ``space``: say what they are, give their value, call them."""
    match request["do"]:
        case "kinds":
            return {"kinds": {name: _kind(space, name) for name in request["names"]}}
        case "value":
            return {"value": space[request["name"]]}
        case "call":
            given, options = list(request["arguments"]), dict(request["options"])
            before = [codec.pack(one) for one in given]
            result = space[request["name"]](*given, **options)
            changed = {
                str(i): one
                for i, (one, old) in enumerate(zip(given, before, strict=True))
                if codec.pack(one) != old
            }
            return {"value": result, "changed": changed}
    raise ValueError(request["do"])


def _kind(space: dict, name: str) -> str:
    if name not in space:
        return "missing"
    if isinstance(space[name], types.ModuleType):
        return "module"
    return "function" if callable(space[name]) else "value"


def import_what_notebooks_use() -> None:
    """Load now what would count against the submission's time later, or ask for rights it has given up."""
    import matplotlib

    matplotlib.use("Agg")
    for name in (
        "matplotlib.pyplot",
        "scipy.integrate",
        "scipy.special",
        "scipy.stats",
        "gapkit.check",
    ):
        importlib.import_module(name)
    for name in ("closing", "embeddings", "tasks"):
        importlib.import_module(f"gapkit.{name}")
    check = importlib.import_module("gapkit.check")
    for name in check.__all__:
        getattr(check, name)
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.close(pyplot.figure())


def _send(sink: int, value: dict) -> None:
    _write(sink, codec.pack(value))


def _write(sink: int, packed: bytes) -> None:
    if len(packed) > codec.MAX_BYTES:
        packed = codec.pack({"error": "ValueError", "said": "the result is too large", "outputs": []})
    data = memoryview(struct.pack("<I", len(packed)) + packed)
    while data:
        data = data[os.write(sink, data) :]


def _receive(source: int) -> dict | None:
    head = _read(source, 4)
    if head is None:
        return None
    body = _read(source, struct.unpack("<I", head)[0])
    return None if body is None else codec.unpack(body)


def _read(source: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(source, count)
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
