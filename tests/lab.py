"""A real JupyterLab on the loopback network, for the tests that need one."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.notebooks.lessons import peak_megabytes
from tests.waiting import PATIENCE, wait_until

WITHOUT = {"disabledExtensions": {"@jupyterlab/debugger-extension": True}}
"""``page_config.json`` of a JupyterLab without its debugger, which reports an error when a kernel restarts."""


@dataclass
class Lab:
    """A running server: where it listens and the process behind it."""

    port: int
    token: str
    process: psutil.Process
    folder: Path

    def address(self, path: str = "lab") -> str:
        """The address of ``path``, with the token."""
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def megabytes(self) -> float:
        """Peak memory of the server without its kernels."""
        return self._peak(kernels=False)

    def kernel_megabytes(self) -> float:
        """Peak memory of the kernels that run now."""
        return self._peak(kernels=True)

    def _peak(self, *, kernels: bool) -> float:
        family = [self.process, *self.process.children(recursive=True)]
        return sum(
            peak_megabytes(one)
            for one in family
            if any("ipykernel" in word for word in one.cmdline()) == kernels
        )


def free_port() -> int:
    """A free port below those that systems give away, so that no kernel takes it before the server does."""
    for _ in range(1000):
        port = 20_000 + secrets.randbelow(10_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@contextlib.contextmanager
def jupyter_lab(
    folder: Path, *, variables: dict[str, str] | None = None, prefix: Sequence = (), options: Sequence = ()
) -> Iterator[Lab]:
    """Serve ``folder`` until the block ends; its kernels end with it."""
    port = free_port()
    token = secrets.token_hex(16)
    launch = [*prefix, "jupyter"] if prefix else [sys.executable, "-m", "jupyter"]
    command = [
        *launch,
        "lab",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
    ]
    command += [f"--IdentityProvider.token={token}", "--allow-root", f"--ServerApp.root_dir={folder}"]
    command += [
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *options,
    ]
    log = (folder / "jupyter.log").open("w+")
    server = subprocess.Popen(command, cwd=folder, env=variables or dict(os.environ), stdout=log, stderr=log)
    try:
        lab = Lab(port, token, psutil.Process(server.pid), folder)

        def answers() -> bool:
            assert server.poll() is None, (folder / "jupyter.log").read_text()
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(lab.address("api/status"), timeout=PATIENCE),
            ):
                return True
            return False

        assert wait_until(answers, pause=0.5), "JupyterLab does not answer"
        yield lab
    finally:
        kernels = lab.process.children(recursive=True) if server.poll() is None else []
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
        for kernel in kernels:
            if kernel.is_running():
                kernel.kill()
        log.close()
