"""A wrapped model gives closed embeddings, and is the model in everything else."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gapkit.closing import AffineProjection, GapCloser, close_model
from gapkit.closing.shifts import HalfwayShift
from gapkit.errors import InputError
from gapkit.geometry import nearest


class TinyCLIP(nn.Module):
    """Speaks like OpenCLIP's CLIP: encoders with ``normalize``, logit scale, ``forward`` giving unit features."""

    def __init__(self, output_dict=False):
        super().__init__()
        torch.manual_seed(0)
        self.visual, self.text = nn.Linear(6, 16), nn.Embedding(40, 16)
        self.logit_scale = nn.Parameter(torch.tensor(np.log(20.0)))
        self.logit_bias = None
        self.context_length = 3
        self.output_dict = output_dict

    def encode_image(self, image, normalize=False):
        features = 3 * self.visual(image) + 2
        return nn.functional.normalize(features, dim=-1) if normalize else features

    def encode_text(self, text, normalize=False):
        features = self.text(text).mean(1)
        return nn.functional.normalize(features, dim=-1) if normalize else features

    def forward(self, image=None, text=None):
        image = None if image is None else self.encode_image(image, normalize=True)
        text = None if text is None else self.encode_text(text, normalize=True)
        if self.output_dict:
            return {"image_features": image, "text_features": text, "logit_scale": self.logit_scale.exp()}
        return image, text, self.logit_scale.exp()


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(50, 6, generator=generator), torch.randint(40, (8, 3), generator=generator)


def fitted(model, inputs, kind=GapCloser, **options):
    with torch.no_grad():
        x, y = model.encode_text(inputs[1], normalize=True), model.encode_image(inputs[0], normalize=True)
    return kind(**options).fit(x, y), x, y


@pytest.mark.parametrize("kind", [GapCloser, AffineProjection, HalfwayShift])
def test_normalised_embeddings_are_the_closers(inputs, kind):
    model = TinyCLIP()
    closer, x, y = fitted(model, inputs, kind)
    wrapped = close_model(model, closer)
    a, b = closer.transform_pair(x, y)
    torch.testing.assert_close(wrapped.encode_text(inputs[1], normalize=True), a, atol=1e-6, rtol=0)
    torch.testing.assert_close(wrapped.encode_image(inputs[0], normalize=True), b, atol=1e-6, rtol=0)


def test_embeddings_that_are_not_normalised_keep_the_encoders_scale(inputs):
    model = TinyCLIP()
    closer, *_ = fitted(model, inputs)
    wrapped = close_model(model, closer)
    raw = model.encode_text(inputs[1])
    lengths = raw.norm(dim=1, keepdim=True)
    torch.testing.assert_close(
        wrapped.encode_text(inputs[1]) / lengths,
        wrapped.encode_text(inputs[1], normalize=True),
        atol=1e-6,
        rtol=0,
    )


def test_answers_stay_and_the_gap_shrinks(inputs):
    model = TinyCLIP()
    closer, x, y = fitted(model, inputs)
    wrapped = close_model(model, closer)
    with torch.no_grad():
        a, b = wrapped.encode_text(inputs[1], normalize=True), wrapped.encode_image(inputs[0], normalize=True)
    assert (nearest(b, a) == nearest(y, x)).all()
    assert (b.mean(0) - a.mean(0)).norm() < 0.9 * (y.mean(0) - x.mean(0)).norm()


@pytest.mark.parametrize("output_dict", [False, True])
def test_forward_gives_closed_features_in_the_models_own_form(inputs, output_dict):
    model = TinyCLIP(output_dict)
    closer, *_ = fitted(model, inputs)
    wrapped = close_model(model, closer)
    output = wrapped(*inputs)
    assert type(output) is type(model(*inputs))
    image, text, scale = output.values() if output_dict else output
    torch.testing.assert_close(text, wrapped.encode_text(inputs[1], normalize=True), atol=1e-6, rtol=0)
    torch.testing.assert_close(image, wrapped.encode_image(inputs[0], normalize=True), atol=1e-6, rtol=0)
    assert scale == model.logit_scale.exp()
    alone = wrapped(image=inputs[0])
    assert (alone["text_features"] if output_dict else alone[1]) is None


def test_logits_come_from_closed_embeddings(inputs):
    model = TinyCLIP()
    closer, *_ = fitted(model, inputs, AffineProjection)
    wrapped = close_model(model, closer)
    images, texts = wrapped.get_logits(*inputs)
    product = (
        wrapped.encode_image(inputs[0], normalize=True) @ wrapped.encode_text(inputs[1], normalize=True).T
    )
    torch.testing.assert_close(images, 20 * product, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(texts, images.T)


def test_the_gallery_may_be_the_images(inputs):
    model = TinyCLIP()
    _, x, y = fitted(model, inputs)
    closer = GapCloser().fit(y[:8], x)
    wrapped = close_model(model, closer, gallery="image")
    moved = wrapped.encode_image(inputs[0], normalize=True)
    torch.testing.assert_close(moved, closer.transform(y), atol=1e-6, rtol=0)
    torch.testing.assert_close(wrapped.encode_text(inputs[1], normalize=True), x, atol=1e-6, rtol=0)


def test_everything_else_is_the_wrapped_model(inputs):
    model = TinyCLIP()
    closer, *_ = fitted(model, inputs)
    wrapped = close_model(model, closer)
    assert wrapped.context_length == 3
    assert wrapped.logit_scale is model.logit_scale
    assert wrapped.visual is model.visual
    assert wrapped.state_dict().keys() == model.state_dict().keys()
    wrapped.load_state_dict(TinyCLIP().state_dict())
    assert wrapped.eval() is wrapped
    assert not model.training
    assert isinstance(wrapped, nn.Module)
    assert {id(p) for p in wrapped.parameters()} == {id(p) for p in model.parameters()}
    with pytest.raises(AttributeError):
        _ = wrapped.no_such_thing
    copy.deepcopy(wrapped).encode_text(inputs[1])


def test_the_wrapped_model_itself_is_not_changed(inputs):
    model = TinyCLIP()
    before = model.encode_text(inputs[1], normalize=True)
    close_model(model, fitted(model, inputs)[0]).encode_text(inputs[1])
    torch.testing.assert_close(model.encode_text(inputs[1], normalize=True), before, atol=0, rtol=0)


def test_gradients_flow_through_the_closer(inputs):
    model = TinyCLIP()
    wrapped = close_model(model, fitted(model, inputs, AffineProjection)[0])
    wrapped.encode_image(inputs[0], normalize=True).square().sum().backward()
    assert model.visual.weight.grad.abs().sum() > 0


def test_a_loaded_model_is_unpacked(inputs):
    class Loaded:
        module = TinyCLIP()

    closer, x, _ = fitted(Loaded.module, inputs)
    wrapped = close_model(Loaded(), closer)
    assert wrapped.model is Loaded.module
    torch.testing.assert_close(
        wrapped.encode_text(inputs[1], normalize=True), closer.transform(x), atol=1e-6, rtol=0
    )


def test_bad_arguments_are_named(inputs):
    model = TinyCLIP()
    closer, *_ = fitted(model, inputs)
    with pytest.raises(InputError, match="not fitted"):
        close_model(model, GapCloser())
    with pytest.raises(InputError, match="encode_image"):
        close_model(nn.Linear(2, 2), closer)
    with pytest.raises(InputError, match="gallery must be one of"):
        close_model(model, closer, gallery="audio")
    with pytest.raises(InputError, match="closer must be"):
        close_model(model, lambda z: z)


def test_a_real_openclip_model_can_be_wrapped():
    from gapkit._openclip import ensure_torchvision

    ensure_torchvision()
    from open_clip.model import CLIP

    torch.manual_seed(0)
    model = CLIP(
        embed_dim=32,
        vision_cfg={"layers": 1, "width": 64, "image_size": 32, "patch_size": 16},
        text_cfg={"layers": 1, "width": 64, "heads": 2, "context_length": 8, "vocab_size": 50},
    ).eval()
    generator = torch.Generator().manual_seed(0)
    image, text = (
        torch.randn(6, 3, 32, 32, generator=generator),
        torch.randint(1, 49, (4, 8), generator=generator),
    )
    with torch.no_grad():
        x, y = model.encode_text(text, normalize=True), model.encode_image(image, normalize=True)
        closer = GapCloser().fit(x, y)
        wrapped = close_model(model, closer)
        torch.testing.assert_close(
            wrapped.encode_text(text, normalize=True), closer.transform(x), atol=1e-6, rtol=0
        )
        torch.testing.assert_close(wrapped.encode_image(image, normalize=True), y)
        torch.testing.assert_close(wrapped(image, text)[1], closer.transform(x), atol=1e-6, rtol=0)
        logits = wrapped.get_logits(image, text)[0]
    assert (logits.argmax(1) == model.get_logits(image, text)[0].argmax(1)).all()


def test_a_closer_of_another_width_is_named(inputs):
    rng = np.random.default_rng(0)
    wrapped = close_model(TinyCLIP(), GapCloser().fit(rng.normal(size=(4, 12)), rng.normal(size=(9, 12))))
    for call in (lambda: wrapped.encode_text(inputs[1], normalize=True), lambda: wrapped(*inputs)):
        with pytest.raises(InputError, match="fitted in 12 dimensions; this model's embeddings have 16"):
            call()
