"""Models that bring Python code: it must not run, whatever the configuration or the terminal says."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from gapkit.encoders import load_model
from gapkit.errors import InputError
from tests.encoders.tiny import CONFIG, write_tiny

EVIL = """
open({marker!r}, "w").close()
class Evil:
    @classmethod
    def from_pretrained(cls, *_, **__): return cls()
    @classmethod
    def register_for_auto_class(cls, *_): pass
"""


@pytest.fixture
def folder(tmp_path):
    """A tiny model whose folder has a tokeniser, and a text tower, in a Python file."""
    pytest.importorskip("transformers")
    folder = write_tiny(tmp_path / "model")
    (folder / "evil.py").write_text(EVIL.format(marker=str(tmp_path / "ran")))
    own = {"AutoTokenizer": ["evil.Evil", None], "AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Evil", "auto_map": own}))
    (folder / "config.json").write_text(json.dumps({"auto_map": own, "model_type": "evil"}))
    return folder


def configure(folder, **text):
    config = json.loads(json.dumps(CONFIG))
    config["model_cfg"]["text_cfg"] |= text
    (folder / "open_clip_config.json").write_text(json.dumps(config))


def run(folder, tmp_path, answer):
    code = f"from gapkit.encoders import load_model; load_model('local-dir:{folder}')"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    return subprocess.run(
        [sys.executable, "-c", code],
        input=answer,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_the_file_would_run_if_it_were_let(folder, tmp_path, monkeypatch):
    """Without this the tests below could pass for a file that nobody ever opens."""
    from transformers import AutoTokenizer, dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    with contextlib.suppress(AttributeError):  # it is no real configuration either
        AutoTokenizer.from_pretrained(str(folder), trust_remote_code=True)
    assert (tmp_path / "ran").exists()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["tokeniser", "text tower"])
def test_nobody_is_asked_and_a_yes_on_the_terminal_runs_nothing(folder, tmp_path, what):
    if what == "tokeniser":
        configure(folder, hf_tokenizer_name=str(folder))
    else:
        configure(folder, hf_model_name=str(folder))
    done = run(folder, tmp_path, "y\ny\ny\n")
    assert not (tmp_path / "ran").exists()
    assert "wants to run Python code of its own" in done.stderr.splitlines()[-1]
    assert "[y/N]" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"trust_remote_code": True},
        {"clean": "lower", "trust_remote_code": True},
        {"revision": "other"},
        {"clean": 3},
        [["trust_remote_code", True]],
    ],
)
def test_options_that_are_not_known_to_be_harmless_are_refused(folder, tmp_path, options):
    configure(folder, hf_tokenizer_name=str(folder), tokenizer_kwargs=options)
    with pytest.raises(InputError, match=r"does not pass on|nothing usable"):
        load_model(f"local-dir:{folder}")
    assert not (tmp_path / "ran").exists()


def test_the_callers_own_use_of_transformers_is_left_alone(folder):
    from transformers import dynamic_module_utils

    before = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    load_model("miniclip-random")
    configure(folder, hf_tokenizer_name=str(folder))
    with pytest.raises(InputError, match="wants to run Python code"):
        load_model(f"local-dir:{folder}")
    assert before == dynamic_module_utils.TIME_OUT_REMOTE_CODE > 0


def test_harmless_options_reach_the_tokeniser(tmp_path):
    folder = write_tiny(tmp_path / "plain")
    plain = load_model(f"local-dir:{folder}").tokenise(["A, cat!"])
    configure(folder, tokenizer_kwargs={"clean": "canonicalize"})
    clean = load_model(f"local-dir:{folder}").tokenise
    assert clean(["A, cat!"]).tolist() == clean(["a cat"]).tolist() != plain.tolist()
