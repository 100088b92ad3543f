"""A clone made on Windows, where git turns LF into CRLF, keeps what must keep its bytes."""

import subprocess

import pytest

from tests.packaging.recipe import ROOT
from tools.data import check_manifest


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """This working tree, committed and cloned with ``core.autocrlf=true``."""
    folder = tmp_path_factory.mktemp("crlf")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    source = folder / "source"
    wanted = [
        name for name in listed.stdout.decode().split("\0") if name.startswith(("data/", "binder/", "tools/"))
    ]
    for name in [*wanted, ".gitattributes", "Makefile", "pyproject.toml"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments], check=True)

    git("init", "-q", str(source))
    git("-C", str(source), "add", "--all")
    git("-C", str(source), "commit", "-q", "-m", "as it is")
    git("clone", "-q", "-c", "core.autocrlf=true", str(source), str(folder / "clone"))
    return folder / "clone"


def test_shipped_data_keep_their_bytes(clone):
    assert b"\r\n" in (clone / "pyproject.toml").read_bytes()  # the clone does change line ends
    assert check_manifest(clone / "data") == []


@pytest.mark.parametrize(
    "name", ["binder/postBuild", "binder/start", "tools/install_chromium.sh", "Makefile"]
)
def test_scripts_that_a_shell_reads_end_their_lines_in_lf(clone, name):
    assert b"\r" not in (clone / name).read_bytes()
