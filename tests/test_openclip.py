"""The door to OpenCLIP: torchvision is touched only where it cannot be imported, transformers is asked only for its part."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from gapkit.encoders import load_model
from gapkit.errors import InputError
from tests.encoders.tiny import CONFIG, write_tiny

TOWER = """
import json, sys
from pathlib import Path
import torch
from gapkit.encoders import load_model

folder = Path(sys.argv[1])
load_model("miniclip-random")
bert = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "vocab_size": 50000, "max_position_embeddings": 32}
(folder / "config.json").write_text(json.dumps(bert))
config = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"hf_model_name": str(folder), "hf_proj_type": "linear", "hf_pooler_type": "mean_pooler",
                 "context_length": 16, "vocab_size": 50000},
}
whole = {"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "size": [32, 32]}}
(folder / "open_clip_config.json").write_text(json.dumps(whole))
# the reference: OpenCLIP in its own way, in a process that has transformers from the start
import subprocess
made = subprocess.run([sys.executable, "-c", '''
import sys, torch, transformers
from safetensors.torch import save_file
from gapkit._openclip import open_clip
torch.manual_seed(0)
model = open_clip().create_model("local-dir:" + sys.argv[1], load_weights=False, pretrained_text=False).eval()
assert type(model.text).__name__ == "HFTextEncoder"
save_file({name: t.contiguous() for name, t in model.state_dict().items()}, sys.argv[1] + "/open_clip_model.safetensors")
tokens = torch.arange(3, 11)[None]
with torch.inference_mode():
    print(model.encode_text(tokens, normalize=True)[0, :4].tolist())
''', str(folder)], capture_output=True, text=True)
assert made.returncode == 0, made.stderr[-2000:]
expected = json.loads(made.stdout.splitlines()[-1])
model = load_model("local-dir:" + str(folder))
with torch.inference_mode():
    ours = model.module.encode_text(torch.arange(3, 11)[None], normalize=True)[0, :4].tolist()
print(max(abs(a - b) for a, b in zip(expected, ours)) < 1e-6, any(expected))
"""


def python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


HEAVY = """
import sys
from gapkit.encoders import load_model
load_model("miniclip-wide").encode_texts(["a three"])
print([name for name in ("scipy.stats", "pandas", "matplotlib", "sklearn", "pyarrow") if name in sys.modules])
"""


def test_the_first_embedding_waits_for_a_package_that_it_does_not_need():
    assert python(HEAVY) == ["[]"]


@pytest.mark.slow
def test_a_text_tower_of_transformers_differs_from_openclips_own(tmp_path):
    pytest.importorskip("transformers")
    assert python(TOWER, tmp_path) == ["True", "True"]


@pytest.mark.parametrize("need", ["hf_tokenizer_name", "hf_model_name"])
def test_where_transformers_is_not_installed_the_remedy_is_named(tmp_path, monkeypatch, need):
    folder = write_tiny(tmp_path / "model")
    config = json.loads(json.dumps(CONFIG))
    config["model_cfg"]["text_cfg"][need] = "someone/texts"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError, match="needs another package.*pip install transformers sentencepiece protobuf"
    ):
        load_model(f"local-dir:{folder}")


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
from gapkit import _openclip
try:
    _openclip.ensure_torchvision()
    _openclip.ensure_torchvision()
    import torchvision
    print("works", "touched" if _openclip._library is not None else "untouched", "torch" in sys.modules)
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
        "from gapkit._openclip import ensure_torchvision; ensure_torchvision();"
        "import open_clip, torchvision.transforms as t; print(t.Resize(8).size)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "8"
