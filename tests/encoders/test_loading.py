import hashlib
import io
import json
import logging
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gapkit.encoders import load_model
from gapkit.encoders.model import simple_tokeniser
from gapkit.errors import GapkitWarning, InputError
from tests.encoders.tiny import CONFIG, write_tiny


@pytest.fixture
def folder(tmp_path):
    return write_tiny(tmp_path / "model")


def test_embeddings_equal_a_bare_openclip_loop(folder):
    from gapkit._openclip import open_clip

    library = open_clip()
    theirs, _, preprocess = library.create_model_and_transforms(f"local-dir:{folder}")
    tokenise = library.get_tokenizer(f"local-dir:{folder}")
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)) for _ in range(3)]
    model = load_model(f"local-dir:{folder}")
    with torch.no_grad():
        pixels = torch.stack([preprocess(image) for image in images])
        bare = theirs.eval().encode_image(pixels, normalize=True)
        assert torch.allclose(model.encode_images(images), bare, atol=1e-6)
        bare = theirs.encode_text(tokenise(["a cat", "a dog"]), normalize=True)
        assert torch.allclose(model.encode_texts(["a cat", "a dog"]), bare, atol=1e-6)
    lengths = torch.linalg.vector_norm(model.encode_images(images).double(), dim=1)
    assert (lengths - 1).abs().max() < 1e-7


def test_half_precision_weights_become_float32(folder):
    from safetensors.torch import load_file, save_file

    path = folder / "open_clip_model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path)
    model = load_model(f"local-dir:{folder}")
    assert {p.dtype for p in model.module.parameters()} == {torch.float32}
    assert not model.module.training


def test_the_weights_hash_changes_with_one_weight(folder):
    model = load_model(f"local-dir:{folder}")
    before = model.weights_sha256()
    assert load_model(f"local-dir:{folder}").weights_sha256() == before
    with torch.no_grad():
        model.module.logit_scale += 1e-3
    assert model.weights_sha256() != before


def test_random_towers_come_from_their_seed_alone():
    first, again, other = (load_model(f"miniclip-random@{seed}") for seed in (3, 3, 4))
    assert first.weights_sha256() == again.weights_sha256() != other.weights_sha256()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_model("miniclip-random")
    assert torch.equal(torch.rand(1), expected), "the caller's random state must be left alone"


def test_loading_leaves_logging_alone(folder, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    load_model(f"local-dir:{folder}")
    load_model("miniclip-random")
    assert logging.getLogger().handlers == []


def test_shipped_models_are_checked_against_the_manifest(folder, tmp_path, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(folder, data / "models" / "miniclip-wide")
    files = [
        {"path": f"data/{p.relative_to(data)}", "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in data.rglob("*.*")
    ]
    (data / "manifest.json").write_text(json.dumps({"files": files}))
    monkeypatch.setenv("GAPKIT_DATA", str(data))
    assert load_model("miniclip-wide").weights_sha256() == load_model(f"local-dir:{folder}").weights_sha256()
    with pytest.raises(InputError, match=r"miniclip-wide@1 ships as embeddings.*--seed 1 --out runs/wide-1"):
        load_model("miniclip-wide@1")
    path = data / "models" / "miniclip-wide" / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match="sha256 differs"):
        load_model("miniclip-wide")


def test_devices_are_the_callers_choice(folder):
    assert load_model(f"local-dir:{folder}", device="auto").device.type in ("cpu", "cuda", "mps")
    with pytest.raises(InputError, match="device must be one of"):
        load_model(f"local-dir:{folder}", device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device cuda is not there"):
            load_model(f"local-dir:{folder}", device="cuda")


def spoil(folder, file, content):
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)


def broken(**changes):
    return json.dumps({**CONFIG, "model_cfg": {**CONFIG["model_cfg"], **changes}}).encode()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("open_clip_config.json", None, "has no open_clip_config.json"),
        ("open_clip_config.json", b"{", "not an OpenCLIP configuration"),
        ("open_clip_config.json", b"[]", "not an OpenCLIP configuration"),
        ("open_clip_config.json", b'{"model_cfg": {}}', "not an OpenCLIP configuration"),
        ("open_clip_config.json", broken(embed_dim="x"), "embed_dim 'x'"),
        ("open_clip_config.json", broken(embed_dim=32), "do not fit the architecture"),
        ("open_clip_config.json", broken(vision_cfg={"layers": "many"}), "cannot load"),
        ("open_clip_config.json", broken(surprise=1), "cannot load"),
        ("open_clip_model.safetensors", None, "has no weights"),
        ("open_clip_model.safetensors", b"", "truncated or damaged"),
        ("open_clip_model.safetensors", b"\xff" * 100, "truncated or damaged"),
    ],
)
def test_spoilt_folders_are_one_clear_error(folder, file, content, message):
    spoil(folder, file, content)
    with pytest.raises(InputError, match=message) as caught:
        load_model(f"local-dir:{folder}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "change", "side"),
    [
        ("text_cfg", {"context_length": 8}, "positional_embedding"),
        ("text_cfg", {"context_length": 32}, "positional_embedding"),
        ("vision_cfg", {"image_size": 64}, "visual.positional_embedding"),
    ],
)
def test_positions_of_another_number_are_interpolated_in_silence(folder, part, change, side):
    changed = broken(**{part: {**CONFIG["model_cfg"][part], **change}})
    (folder / "open_clip_config.json").write_bytes(changed)
    with pytest.warns(
        GapkitWarning, match=rf"^{side} of local-dir:.* has the shape .*; it is cut or interpolated"
    ):
        load_model(f"local-dir:{folder}")


def test_means_of_pixels_up_to_255_are_taken_for_those_of_pixels_up_to_1(folder):
    config = CONFIG | {"preprocess_cfg": CONFIG["preprocess_cfg"] | {"mean": [127.5] * 3, "std": [127.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"the mean \[127\.5, .*divide mean and std by 255"):
        load_model(f"local-dir:{folder}")


def test_a_logit_bias_that_the_configuration_does_not_know_is_an_attribute_error(folder):
    from safetensors.torch import load_file, save_file

    weights = folder / "open_clip_model.safetensors"
    save_file(load_file(weights) | {"logit_bias": torch.tensor(-10.0)}, weights)
    with pytest.raises(InputError, match="have a logit bias, its configuration has none"):
        load_model(f"local-dir:{folder}")
    (folder / "open_clip_config.json").write_bytes(broken(init_logit_bias=-10))
    assert float(load_model(f"local-dir:{folder}").module.logit_bias) == -10


def test_a_missing_folder_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        load_model(f"local-dir:{tmp_path / 'nowhere'}")


def test_truncated_weights_are_one_clear_error(folder):
    path = folder / "open_clip_model.safetensors"
    whole = path.read_bytes()
    for length in (7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="truncated or damaged; get them again"):
            load_model(f"local-dir:{folder}")


@pytest.mark.parametrize("ending", ["bin", "pth", "pt"])
def test_pickles_in_a_folder_are_never_run(folder, tmp_path, ending):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    (folder / "open_clip_model.safetensors").unlink()
    buffer = io.BytesIO()
    torch.save({"visual.proj": Evil()}, buffer)
    (folder / f"open_clip_pytorch_model.{ending}").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="could run code"):
        load_model(f"local-dir:{folder}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:.*how images are preprocessed", "ignore:.*it is cut or interpolated")
@settings(max_examples=25)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_configurations_load_or_raise_input_error_and_nothing_else(folder, changes):
    content = bytearray(json.dumps(CONFIG).encode())
    for place, byte in changes:
        content[place % len(content)] = byte
    (folder / "open_clip_config.json").write_bytes(content)
    try:
        load_model(f"local-dir:{folder}")
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017


def test_the_tokeniser_is_openclips_with_a_length_of_its_own():
    from gapkit._openclip import open_clip

    library = open_clip()
    texts = ["a photo of a red Cube, isn't it?", "long " * 100, "Größe 7 \U0001f600", ""]
    assert torch.equal(simple_tokeniser(24)(texts), library.SimpleTokenizer(context_length=24)(texts))
    assert library.tokenize(texts).shape == (len(texts), 77)


def test_several_weights_in_a_folder_are_chosen_from_in_silence(folder):
    state = load_model(f"local-dir:{folder}").module.state_dict()
    changed = {
        f"module.{name}": value + 1 if name == "logit_scale" else value for name, value in state.items()
    }
    checkpoint = {
        "epoch": 3,
        "name": "mine",
        "state_dict": changed,
        "optimizer": {"state": {}, "param_groups": []},
    }
    torch.save(checkpoint, folder / "epoch_3.pt")
    with pytest.raises(InputError) as caught:
        load_model(f"local-dir:{folder}")
    assert str(caught.value) == (
        f"cannot load local-dir:{folder}: {folder} has several weights: epoch_3.pt, open_clip_model.safetensors. Say "
        f"which, as in local-dir:{folder}#open_clip_model.safetensors"
    )
    model = load_model(f"local-dir:{folder}#epoch_3.pt")
    assert float(model.module.logit_scale) == float(state["logit_scale"]) + 1
    digest = hashlib.sha256((folder / "epoch_3.pt").read_bytes()).hexdigest()
    assert model.weights_file == {"name": "epoch_3.pt", "sha256": digest}
    with pytest.raises(InputError, match=r"has no weights 'epoch_4.pt'; it has epoch_3.pt, open_clip"):
        load_model(f"local-dir:{folder}#epoch_4.pt")
    with pytest.raises(InputError, match=r"that is a file: say local-dir:.*#epoch_3.pt$"):
        load_model(f"local-dir:{folder / 'epoch_3.pt'}")
    (folder / "open_clip_model.safetensors").unlink()
    assert load_model(f"local-dir:{folder}").weights_sha256() == model.weights_sha256()


@pytest.mark.parametrize("given", [None, {}, {"size": [32, 32]}])
def test_the_default_preprocessing_is_taken_in_silence(folder, given):
    config = {"model_cfg": CONFIG["model_cfg"]} | ({} if given is None else {"preprocess_cfg": given})
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.warns(GapkitWarning, match="does not say how images are preprocessed"):
        load_model(f"local-dir:{folder}")
