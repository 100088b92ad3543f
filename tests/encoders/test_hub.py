"""Real downloads from a server on loopback, with everything that goes wrong in real life."""

import errno
import io
import os
import subprocess
import sys
import time

import pytest
import torch

from gapkit.encoders import load_model
from gapkit.errors import InputError
from tests.encoders.tiny import tiny_files, write_tiny
from tests.hub_server import Hub

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]
NAME = "hf-hub:gapkit/tiny"
SHORT = 4
"""Seconds that a client waits for a server that stalls. For all others it waits longer than any machine takes."""
SLEEP = time.sleep


@pytest.fixture
def hub(tmp_path, monkeypatch):
    from huggingface_hub import constants

    with Hub() as server:
        server.files["gapkit/tiny"] = dict(tiny_files())
        old = constants.ENDPOINT
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(old, server.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 60)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setattr("time.sleep", lambda seconds: SLEEP(min(seconds, 0.05)))  # between retries
        yield server


def expect(hub, monkeypatch, file, faults, patience=SHORT):
    """Let the server fail so; where it stalls the client has little patience."""
    from huggingface_hub import constants

    hub.faults[file] = list(faults)
    if "stall" in faults:
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", patience)


def halves(tmp_path):
    """Files in the cache that are not finished downloads."""
    return [
        p for p in (tmp_path / "hub").rglob("*") if p.is_file() and p.name.endswith((".incomplete", ".part"))
    ]


def blobs(tmp_path):
    return [p for p in (tmp_path / "hub").rglob("blobs/*") if p.is_file()]


def test_a_model_is_downloaded_once_and_equals_the_local_one(hub, tmp_path):
    model = load_model(NAME)
    local = load_model(f"local-dir:{write_tiny(tmp_path / 'local')}")
    assert model.weights_sha256() == local.weights_sha256()
    image = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.encode_pixels(image), local.encode_pixels(image))
    before = hub.gets("cdn")
    load_model(NAME)
    assert hub.gets("cdn") == before == 1
    assert halves(tmp_path) == []


def test_the_cache_serves_when_the_hub_is_gone(hub, tmp_path, monkeypatch):
    from huggingface_hub import constants

    sha256 = load_model(NAME).weights_sha256()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.address, "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert load_model(NAME).weights_sha256() == sha256


def test_a_revision_gives_its_own_weights_or_one_line(hub, tmp_path, monkeypatch):
    from huggingface_hub import constants

    hub.files["gapkit/tiny@v2"] = tiny_files(seed=2)
    published = {}
    for name, files in hub.files.items():
        folder = tmp_path / name.partition("@")[2] / "local"
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        published[name] = load_model(f"local-dir:{folder}").weights_sha256()
    assert len(set(published.values())) == 2
    for _ in range(2):  # downloaded, and then from the cache
        assert load_model(f"{NAME}@v2").weights_sha256() == published["gapkit/tiny@v2"]
        assert load_model(NAME).weights_sha256() == published["gapkit/tiny"]
    with pytest.raises(InputError, match="gapkit/tiny has no revision v3") as fault:
        load_model(f"{NAME}@v3")
    assert "\n" not in str(fault.value)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load_model(f"{NAME}@v2").weights_sha256() == published["gapkit/tiny@v2"]
    with pytest.raises(InputError, match=r"cannot load hf-hub:gapkit/tiny@v3"):
        load_model(f"{NAME}@v3")


@pytest.mark.parametrize(
    ("file", "faults", "message"),
    [
        ("open_clip_config.json", [(401, "RepoNotFound")], "has no repository gapkit/tiny, or it is private"),
        ("open_clip_config.json", [(403, "GatedRepo")], "gated: accept its terms"),
        ("open_clip_config.json", [(404, "RepoNotFound")], "has no repository gapkit/tiny"),
        ("open_clip_config.json", [(404, "EntryNotFound")], "has no open_clip_config.json"),
        ("open_clip_model.safetensors", [(403, "GatedRepo")], "gated: accept its terms"),
        ("open_clip_config.json", [(500, "")] * 20, r"answers with an error \(500\)"),
        ("open_clip_model.safetensors", [(503, "")] * 20, r"answers with an error \(503\)"),
        ("cdn", [(500, "")] * 20, r"answers with an error \(500\)"),
        ("cdn", [(404, "")] * 2, "no repository|error"),
        ("cdn", ["reset"] * 40, "broke off"),
        ("cdn", ["stall"] * 20, "broke off"),
        ("cdn", ["wrong"], "is damaged, its sha256 is not the published one"),
    ],
)
def test_every_fault_is_one_line_with_a_remedy_and_leaves_no_half_file(
    hub, tmp_path, monkeypatch, file, faults, message
):
    with monkeypatch.context() as while_it_lasts:
        expect(hub, while_it_lasts, file, faults, patience=1)
        with pytest.raises(InputError, match=message) as caught:
            load_model(NAME)
    assert "\n" not in str(caught.value)
    assert NAME in str(caught.value)
    assert halves(tmp_path) == []
    assert not any(len(blob.name) == 64 for blob in blobs(tmp_path)), "the damaged weights must be gone"
    hub.faults.clear()
    assert load_model(NAME).parameters > 0, "the same command must work once the fault is over"


@pytest.mark.parametrize(
    ("file", "faults"),
    [
        ("open_clip_config.json", [(500, "")]),
        ("cdn", ["reset"]),
        ("cdn", ["reset", "reset"]),
        ("cdn", ["stall"]),
        ("cdn", ["drip"]),
    ],
)
def test_passing_faults_are_survived(hub, tmp_path, monkeypatch, file, faults):
    expect(hub, monkeypatch, file, faults)
    model = load_model(NAME)
    assert (
        model.weights_sha256() == load_model(f"local-dir:{write_tiny(tmp_path / 'local')}").weights_sha256()
    )
    if faults != ["stall"]:
        assert hub.gets("cdn") == 1 + faults.count("reset")
    else:
        assert hub.gets("cdn") >= 2
        assert any(wanted for _, path, wanted in hub.requests if "cdn" in path), (
            "it goes on where it broke off"
        )
    assert halves(tmp_path) == []


def test_offline_without_cache_says_so(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.address, "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    with pytest.raises(InputError, match=r"not in the cache, and http://127\.0\.0\.1:9 cannot be reached"):
        load_model(NAME)


def test_offline_mode_says_so(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE forbids"):
        load_model(NAME)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_so_and_leaves_no_half_file(hub, tmp_path, monkeypatch, number):
    real = io.BufferedWriter.write

    from huggingface_hub import file_download

    def full(url, file, **_):
        real(file, b"half")
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(file_download, "http_get", full)
    with pytest.raises(InputError, match=r"no space left in .*HF_HOME"):
        load_model(NAME)
    assert halves(tmp_path) == []


def test_bytes_that_rot_in_the_cache_are_found_and_replaced(hub, tmp_path):
    sha256 = load_model(NAME).weights_sha256()
    blob = next(blob for blob in blobs(tmp_path) if len(blob.name) == 64)
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with pytest.raises(InputError, match="removed from the cache"):
        load_model(NAME)
    assert load_model(NAME).weights_sha256() == sha256


def test_pickles_that_could_run_code_are_refused(hub, tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    buffer = io.BytesIO()
    torch.save({"state_dict": Evil()}, buffer)
    files = dict(tiny_files())
    del files["open_clip_model.safetensors"]
    hub.files["gapkit/tiny"] = files | {"open_clip_pytorch_model.bin": buffer.getvalue()}
    with pytest.raises(InputError, match="could run code when opened; ask for a safetensors file"):
        load_model(NAME)
    assert not (tmp_path / "ran").exists()


def test_weights_as_a_harmless_pickle_are_read(hub):
    from safetensors.torch import load

    files = dict(tiny_files())
    buffer = io.BytesIO()
    torch.save(load(files.pop("open_clip_model.safetensors")), buffer)
    hub.files["gapkit/tiny"] = files | {"open_clip_pytorch_model.bin": buffer.getvalue()}
    assert load_model(NAME).parameters > 0


def test_published_weights_get_their_own_preprocessing_and_activation(hub, monkeypatch):
    """A tag of OpenCLIP's, with a tiny architecture behind it: statistics come from the tag, not the default."""
    import gapkit._openclip as door
    from tests.encoders.tiny import TINY

    library = door.open_clip()
    from open_clip import factory, pretrained

    for name, quick in {"tiny": False, "tiny-quickgelu": True}.items():
        monkeypatch.setitem(factory._MODEL_CONFIGS, name, TINY | {"quick_gelu": quick})
        tag = {"hf_hub": "gapkit/tiny/", "mean": (0.1,) * 3, "std": (0.9,) * 3, "quick_gelu": True}
        tag |= {"interpolation": "bicubic", "resize_mode": "squash"}
        monkeypatch.setitem(pretrained._PRETRAINED, name, {"openai": tag})
    assert "tiny" in library.list_models()
    with pytest.warns(match="use tiny-quickgelu/openai"):
        plain = load_model("tiny/openai")
    model = load_model("tiny-quickgelu/openai")
    assert model.config["preprocess"]["mean"] == [0.1] * 3
    assert model.config["preprocess"]["resize_mode"] == "squash"
    assert model.weights_sha256() == plain.weights_sha256()
    image = torch.rand(2, 3, 32, 32)
    assert not torch.allclose(model.encode_pixels(image), plain.encode_pixels(image), atol=1e-4)
    with pytest.raises(
        InputError, match="tiny has no weights 'laion'; write tiny/ and one of openai, random"
    ):
        load_model("tiny/laion")


def run_cli(hub, tmp_path, *arguments):
    environment = os.environ | {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "home"),
        "GAPKIT_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "gapkit", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)


def test_the_command_line_reads_hf_endpoint_and_ends_with_2_and_no_traceback(hub, tmp_path):
    good = run_cli(hub, tmp_path, "embed", NAME, "digits10", "--out", str(tmp_path / "digits.safetensors"))
    assert good.returncode == 0, good.stderr
    assert (tmp_path / "digits.safetensors").is_file()
    hub.files["gapkit/other"] = dict(tiny_files())
    hub.faults["open_clip_model.safetensors"] = [(403, "GatedRepo")] * 4
    gated = run_cli(hub, tmp_path, "embed", "hf-hub:gapkit/other", "digits10")
    assert gated.returncode == 2
    assert "Traceback" not in gated.stderr
    assert gated.stderr.strip().splitlines()[-1].startswith("gapkit: cannot load hf-hub:gapkit/other: ")
    assert "accept its terms" in gated.stderr


def test_offline_nothing_is_tried_again_and_again(hub, monkeypatch):
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)  # its five attempts take half a minute
    monkeypatch.setattr("time.sleep", None)
    with pytest.raises(InputError, match=r"cannot be reached"):
        load_model(NAME)


def test_offline_the_command_line_says_so_in_one_line(tmp_path):
    from types import SimpleNamespace

    done = run_cli(SimpleNamespace(address="http://127.0.0.1:9"), tmp_path, "embed", NAME, "digits10")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot be reached. Connect to the network once" in done.stderr


@pytest.mark.parametrize("status", [429, 502])
def test_what_the_client_reports_of_its_attempts_is_not_shown(hub, capfd, status):
    hub.faults["open_clip_config.json"] = [(status, "")] * 20
    with pytest.raises(InputError, match=rf"answers with an error \({status}\)"):
        load_model(NAME)
    shown = capfd.readouterr()
    assert shown.err == shown.out == ""


def test_pickled_weights_in_the_cache_serve_when_the_hub_is_gone(hub, monkeypatch):
    from huggingface_hub import constants
    from safetensors.torch import load

    files, buffer = dict(tiny_files()), io.BytesIO()
    torch.save(load(files.pop("open_clip_model.safetensors")), buffer)
    hub.files["gapkit/tiny"] = files | {"open_clip_pytorch_model.bin": buffer.getvalue()}
    sha256 = load_model(NAME).weights_sha256()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load_model(NAME).weights_sha256() == sha256


def test_a_proxy_is_asked_instead_of_the_hub(hub, monkeypatch):
    from huggingface_hub import constants

    from gapkit.encoders import hub_answers

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    assert not hub_answers()
    monkeypatch.setenv("http_proxy", hub.address)
    assert hub_answers()
    monkeypatch.setenv("no_proxy", "hub.invalid")
    assert not hub_answers()


def test_a_tokeniser_that_is_missing_offline_is_named_with_the_remedy(hub, tmp_path, monkeypatch):
    from huggingface_hub import constants

    pytest.importorskip("transformers")
    from gapkit.encoders.model import tokeniser

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"tokeniser timm/ViT-B-16-SigLIP is not in the cache.*Connect to"):
        tokeniser({"hf_tokenizer_name": "timm/ViT-B-16-SigLIP"}, "siglip-vit-b16")


def test_what_a_killed_download_left_is_removed_by_the_next_one(hub, tmp_path):
    """By the next one that ends; what somebody is still downloading is left alone."""
    from filelock import FileLock

    blobs = tmp_path / "hub" / "models--gapkit--tiny" / "blobs"
    locks = tmp_path / "hub" / ".locks" / "models--gapkit--tiny"
    for folder in (blobs, locks):
        folder.mkdir(parents=True)
    for name in ("a" * 64 + ".0123abcd.incomplete", "b" * 64 + ".incomplete", "c" * 64 + ".incomplete"):
        (blobs / name).write_bytes(b"half")
    with FileLock(locks / f"{'c' * 64}.lock"):
        load_model(NAME)
    assert [half.name[:1] for half in halves(tmp_path)] == ["c"]
    load_model(NAME)
    assert halves(tmp_path) == []


def test_a_model_is_here_when_its_weights_and_its_tokeniser_are(hub, tmp_path):
    from gapkit.encoders.names import is_cached

    def cached(repository, name):
        folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        path = folder / "snapshots" / ("0" * 40) / name
        for parent in (path.parent, folder / "refs", folder / "blobs"):
            parent.mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text("0" * 40)
        path.write_bytes(bytes(2_400_000))

    siglip, clip = "ViT-B-16-SigLIP/webli", "ViT-B-16-quickgelu/openai"
    cached("timm/ViT-B-16-SigLIP", "tokenizer.json")
    (tmp_path / "hub" / "models--timm--ViT-B-16-SigLIP" / "blobs" / "x").write_bytes(bytes(2_400_000))
    assert not is_cached(siglip)
    cached("timm/ViT-B-16-SigLIP", "open_clip_model.safetensors")
    assert is_cached(siglip)
    (tmp_path / "hub/models--timm--ViT-B-16-SigLIP/snapshots" / ("0" * 40) / "tokenizer.json").unlink()
    assert not is_cached(siglip)
    assert not is_cached(clip)
    cached("timm/vit_base_patch16_clip_224.openai", "open_clip_model.safetensors")
    assert is_cached(clip)
