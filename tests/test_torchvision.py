"""The stand-in for torchvision's operators: only where the import fails, and only for that fault."""

import subprocess
import sys
import textwrap

import pytest

FAKES = {
    "fine": "",
    "other fault": "raise RuntimeError('something else is wrong')",
    # as PyPI's build does beside a CPU build of torch: the operator is looked up while importing
    "nms": """
        import torch
        try:
            torch._C._dispatch_find_schema_or_throw("torchvision::nms", "")
        except RuntimeError:
            raise RuntimeError("operator torchvision::nms does not exist")
    """,
}
PROBE = """
import sys
sys.path.insert(0, {folder!r})
from gapkit import _torchvision
try:
    _torchvision.ensure_torchvision()
    _torchvision.ensure_torchvision()
    import torchvision
    print("works", "touched" if _torchvision._library is not None else "untouched", "torch" in sys.modules)
except RuntimeError as fault:
    print(fault)
"""


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("fine", "works untouched False"),
        ("other fault", "something else is wrong"),
        ("nms", "works touched True"),
    ],
)
def test_torchvision_is_touched_only_where_it_cannot_be_imported(tmp_path, kind, said):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(textwrap.dedent(FAKES[kind]))
    code = PROBE.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_transforms_and_open_clip_work_here():
    code = (
        "from gapkit._torchvision import ensure_torchvision; ensure_torchvision();"
        "import open_clip, torchvision.transforms as t; print(t.Resize(8).size)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "8"
