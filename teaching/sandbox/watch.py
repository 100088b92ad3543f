"""Python's audit hook: refuses what a submission must not do, and tells the judge of it.

Works on every platform and names the attempt; it sees Python's own calls only, so on Linux it
stands in front of Landlock, which stops the rest.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATH_ARGUMENTS = {
    "os.remove": (0,), "os.rename": (0, 1), "os.mkdir": (0,), "os.rmdir": (0,), "os.symlink": (1,),
    "os.link": (0, 1), "os.truncate": (0,), "os.chmod": (0,), "os.chown": (0,), "os.utime": (0,),
    "os.setxattr": (0,), "os.removexattr": (0,), "sqlite3.connect": (0,),
}  # fmt: skip
_PROCESSES = {
    "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile",
    "subprocess.Popen", "pty.spawn",
}  # fmt: skip
_SIGNALS = {"os.kill", "os.killpg", "signal.pthread_kill"}
_NETWORK = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"}
_ALWAYS = ("/dev/null",)


def watch(folder: Path, tell: Callable[[str, str], None]) -> None:
    """From now on refuse writing outside ``folder``, signals, new processes and the network.

    Parameters
    ----------
    folder : the only place where files may be changed
    tell : called with the kind ("outside", "signal", "process", "network") and what was tried
    """
    root = os.path.realpath(folder)
    inside = root + os.sep
    real, fspath, fsdecode = os.path.realpath, os.fspath, os.fsdecode

    def allowed(path) -> bool:
        if isinstance(path, int):
            return True  # an open file; it was judged when it was opened
        try:
            where = real(fsdecode(fspath(path)))
        except (TypeError, ValueError):
            return True  # the call itself will fail
        return where == root or where.startswith(inside) or where in _ALWAYS

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(flags, int) and flags & _WRITE_FLAGS) or (
                isinstance(mode, str) and set(mode) & set("wax+")
            )
            if writes and path is not None and not allowed(path):
                refuse("outside", f"open {path!r} for writing")
        elif event in _PATH_ARGUMENTS:
            for position in _PATH_ARGUMENTS[event]:
                if not allowed(arguments[position]):
                    refuse("outside", f"{event} {arguments[position]!r}")
        elif event in _PROCESSES:
            refuse("process", event)
        elif event in _SIGNALS:
            refuse("signal", event)
        elif event in _NETWORK:
            refuse("network", event)

    def refuse(kind: str, what: str) -> None:
        tell(kind, what[:300])
        raise PermissionError(f"not allowed in a graded notebook: {what[:300]}")

    sys.addaudithook(hook)
