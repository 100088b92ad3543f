"""Install gapkit and everything pinned in ``requirements.lock`` into the Python that runs this file.

Usage: ``python tools/install.py [EXTRA ...]``. The Makefile calls it; people without make can too.

On Linux, PyPI's torch is the CUDA build: half a gigabyte, and gigabytes of CUDA libraries behind
it. Where there is no NVIDIA card, torch and torchvision therefore come from PyTorch's own index of
CPU builds, if that index answers within a few seconds and has the pinned versions. In every other
case they come from whatever index pip is configured with, and nothing is said about it.
"""

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


def pinned(name: str) -> str:
    """The version that the lock file pins for ``name``."""
    found = re.search(rf"^{re.escape(name)}==(\S+)", LOCK.read_text(), flags=re.MULTILINE | re.IGNORECASE)
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


def main(extras: list[str]) -> int:
    """Install; returns pip's exit status."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        raise SystemExit(f"tools/install.py: Python 3.11 or 3.12 is needed; this is {sys.version.split()[0]}")
    target = "." if not extras else f".[{','.join(extras)}]"
    print(f"Installing gapkit and what it needs into {sys.prefix}: a few minutes the first time.", flush=True)
    install_cpu_torch()
    return pip("install", "-qq", "--constraint", str(LOCK), "--editable", target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
