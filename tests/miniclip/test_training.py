"""Training: resumable, reproducible, and its loss is OpenCLIP's."""

import json

import numpy as np
import pytest
import torch

from gapkit.datasets.captions import DIGIT_NAMES, DIGIT_TEMPLATES, SYNONYMS
from gapkit.errors import InputError
from gapkit.miniclip import SETTINGS
from gapkit.miniclip.data import TrainingData
from gapkit.miniclip.family import build
from gapkit.miniclip.training import contrastive_loss, recorded_steps, train


@pytest.fixture(scope="module")
def data():
    return TrainingData.make(single=2, duos=40)


def test_batches_depend_on_the_step_alone_and_show_each_digit_three_times(data):
    first, captions = data.batch(3)
    again, _ = data.batch(3)
    other, _ = data.batch(4)
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == (128, 64, 64, 3)
    assert len(captions) == 128


def test_the_seed_decides_the_initial_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two, other = (build(SETTINGS["random"], seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [m.text_projection.detach() for m in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_the_loss_is_openclips(kind):
    from open_clip.loss import ClipLoss, SigLipLoss

    generator = torch.Generator().manual_seed(0)
    images, texts = (
        torch.nn.functional.normalize(torch.randn(12, 512, generator=generator), dim=1) for _ in range(2)
    )
    model = build(SETTINGS["siglip" if kind == "sigmoid" else "wide"], seed=0)
    value, accuracy = contrastive_loss(model, images, texts, kind)
    scale = model.logit_scale.exp()
    if kind == "sigmoid":
        expected = SigLipLoss()(images, texts, scale, model.logit_bias)
    else:
        expected = ClipLoss()(images, texts, scale)
    torch.testing.assert_close(value, expected)
    assert accuracy == float(((images @ texts.T).argmax(1) == torch.arange(12)).float().mean())


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(data, tmp_path):
    class Stop(Exception):
        pass

    def stop_at_three(step, row):
        if step == 3:
            raise Stop

    straight = train("learned", seed=0, out=tmp_path / "straight", steps=4, data=data, checkpoint_every=2)
    with pytest.raises(Stop):
        train(
            "learned",
            seed=0,
            out=tmp_path / "broken",
            steps=4,
            data=data,
            checkpoint_every=2,
            progress=stop_at_three,
        )
    assert not (tmp_path / "broken" / "open_clip_model.safetensors").exists()
    resumed = train("learned", seed=0, out=tmp_path / "broken", steps=4, data=data, checkpoint_every=2)
    name = "open_clip_model.safetensors"
    assert (straight / name).read_bytes() == (resumed / name).read_bytes()
    curves = [json.loads((folder / "curve.json").read_text()) for folder in (straight, resumed)]
    assert curves[0] == curves[1]
    assert [row["step"] for row in curves[0]["rows"]] == recorded_steps(4)
    assert np.isfinite([list(row.values()) for row in curves[0]["rows"]]).all()
    assert sorted(p.name for p in resumed.iterdir()) == ["curve.json", "open_clip_config.json", name]


def test_a_checkpoint_of_another_run_is_not_gone_on_with(data, tmp_path):
    """Its weights would end up under a name that is not theirs."""

    class Stop(Exception):
        pass

    def stop(step, row):
        if step == 2:
            raise Stop

    def start(name="wide", seed=0, steps=3, **more):
        return train(name, seed=seed, out=tmp_path, steps=steps, data=data, checkpoint_every=1, **more)

    with pytest.raises(Stop):
        start(progress=stop)
    left = (tmp_path / "checkpoint.pt").read_bytes()
    for other in ({"name": "t0.01"}, {"seed": 7}, {"steps": 4}):
        with pytest.raises(InputError, match="belongs to another run"):
            start(**other)
    assert (tmp_path / "checkpoint.pt").read_bytes() == left
    assert not (tmp_path / "curve.json").exists()
    (tmp_path / "checkpoint.pt").write_bytes(left[: len(left) // 2])
    with pytest.raises(InputError, match=r"damaged.*delete"):
        start()


def test_a_folder_that_cannot_be_written_to_is_named_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        train("wide", seed=0, out=tmp_path / "file")


def test_a_model_of_few_wordings_reads_more_than_two_of_each_kind(data):
    few = [caption for step in range(3) for caption in data.batch(step, few_wordings=True)[1]]
    digits = {" ".join(c.split()[:-1]) for c in few if c.split()[-1] in DIGIT_NAMES}
    assert digits == {template.removesuffix(" {digit}") for template in DIGIT_TEMPLATES[:2]}
    assert not {*SYNONYMS.values()} & {word for caption in few for word in caption.split()}
    images = [pixels for pixels, _ in (data.batch(1), data.batch(1, few_wordings=True))]
    assert (images[0] == images[1]).all()


def test_the_text_towers_width_is_not_written_into_the_configuration(tmp_path, data):
    out = train("few-words", seed=0, out=tmp_path / "run", steps=0, data=data)
    config = json.loads((out / "open_clip_config.json").read_text())
    assert config["model_cfg"]["text_cfg"]["width"] == 160
    assert SETTINGS["wide"].config["text_cfg"]["width"] == 48
    assert not SETTINGS["few-words"].in_family
