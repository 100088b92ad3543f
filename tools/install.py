"""Install gapkit and everything pinned in ``requirements.lock``.

Usage: ``python tools/install.py [--venv FOLDER] [EXTRA ...]``. With ``--venv`` into that virtual
environment, which is made first, or made again where an earlier attempt broke off; without it into
the Python that runs this file. The Makefile calls it; people without make can too, on Windows as well.

On Linux, PyPI's torch is the CUDA build: half a gigabyte, and gigabytes of CUDA libraries behind
it. Where there is no NVIDIA card, torch and torchvision therefore come from PyTorch's own index of
CPU builds, if that index answers within a few seconds and has the pinned versions. In every other
case they come from whatever index pip is configured with, and nothing is said about it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS_TO_ANSWER = 5
OLDEST, NEWEST = (3, 11), (3, 14)
"""The versions of Python that gapkit is made for (pyproject.toml and the Makefile say the same)."""


def pinned(name: str) -> str:
    """The version that the lock file pins for ``name``."""
    text = LOCK.read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(name)}==(\S+)", text, flags=re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise SystemExit(f"tools/install.py: {LOCK.name} pins no version of {name}")
    return found[1]


def pip(*arguments: str, quiet: bool = False) -> int:
    """Run pip of this interpreter and return its exit status; ``quiet`` hides even its errors."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    hidden = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=ROOT, stdout=hidden, stderr=hidden, check=False).returncode


def installed(name: str, version: str) -> bool:
    """Whether this interpreter already has ``version`` of ``name`` (whatever its build)."""
    code = (
        f"import importlib.metadata as m; raise SystemExit(m.version({name!r}).split('+')[0] != {version!r})"
    )
    return (
        subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


def offers(index: str, name: str, version: str) -> bool:
    """Whether ``index`` answers within a few seconds and lists ``version`` of ``name``."""
    try:
        with urllib.request.urlopen(f"{index.rstrip('/')}/{name}/", timeout=SECONDS_TO_ANSWER) as answer:
            return f"{name}-{version}" in answer.read(20_000_000).decode("utf-8", "replace")
    except (OSError, ValueError):
        return False


def install_cpu_torch() -> None:
    """Take the CPU builds from PyTorch's index where that is possible and saves a CUDA download."""
    wanted = {name: pinned(name) for name in ("torch", "torchvision")}
    if not sys.platform.startswith("linux") or shutil.which("nvidia-smi"):
        return
    if all(installed(name, version) for name, version in wanted.items()):
        return
    index = os.environ.get("TORCH_INDEX") or CPU_INDEX
    if all(offers(index, name, version) for name, version in wanted.items()):
        # what they depend on is installed, at the pinned versions, in the next step
        requirements = [f"{name}=={version}" for name, version in wanted.items()]
        pip("install", "--no-deps", "--index-url", index, *requirements, quiet=True)


def interpreter(venv: Path) -> Path:
    """The Python of a virtual environment."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def works(venv: Path) -> bool:
    """Whether the virtual environment is whole: its Python starts, is one we support, and has pip."""
    code = f"import sys, pip; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    try:
        done = subprocess.run([interpreter(venv), "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def make_venv(venv: Path) -> None:
    """Make the virtual environment unless it works; half of one is removed, whoever left it."""
    if works(venv):
        return
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").is_file():
        raise SystemExit(f"tools/install.py: {venv} holds something else; name another folder")
    shutil.rmtree(venv, ignore_errors=True)
    whole = False
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], stdout=subprocess.DEVNULL, check=False)
        whole = works(venv)
    finally:
        if not whole:  # Ctrl-C, a full disk, or a Python without ensurepip
            shutil.rmtree(venv, ignore_errors=True)
    if not whole:
        hint = " (on Debian and Ubuntu: apt install python3-venv)" if sys.platform == "linux" else ""
        raise SystemExit(f"tools/install.py: {sys.executable} cannot make a virtual environment{hint}")


def main(arguments: list[str]) -> int:
    """Install; returns pip's exit status."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SystemExit(
            f"tools/install.py: Python 3.{OLDEST[1]} to 3.{NEWEST[1]} is needed; this is {sys.version.split()[0]}"
        )
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, help="make this virtual environment and install into it")
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help="such as lab; see pyproject.toml")
    options = parser.parse_args(arguments)
    if options.venv:
        make_venv(options.venv)
        command = [interpreter(options.venv).absolute(), __file__, *options.extras]
        return subprocess.run(command, check=False).returncode
    target = "." if not options.extras else f".[{','.join(options.extras)}]"
    print(f"Installing gapkit and what it needs into {sys.prefix}: a few minutes the first time.", flush=True)
    install_cpu_torch()
    return pip("install", "-qq", "--constraint", str(LOCK), "--editable", target)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("tools/install.py: interrupted; run it again to go on")
