"""Fewer steps, the same numbers."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from gapkit._openclip import open_clip
from gapkit.encoders import load_model
from gapkit.encoders.preprocessing import fewer_steps, too_stretched


def images():
    rng = np.random.default_rng(0)
    for size in ((64, 64), (70, 90), (300, 224), (5, 7), (1, 30)):
        yield Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))


def preprocessing(**options):
    transform = open_clip().transform
    settings = transform.PreprocessCfg(**{"size": (32, 32)} | options)
    return transform.image_transform_v2(settings, is_train=False)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "resize_mode": "squash"},
        {"resize_mode": "longest", "fill_color": 7},
        {"interpolation": "bilinear", "size": (48, 48)},
    ],
)
def test_every_bit_is_openclips(options):
    theirs = preprocessing(**options)
    ours = fewer_steps(theirs)
    assert ours is not theirs, "nothing would be tested"
    for image in images():
        mine, other = ours(image), theirs(image)
        assert torch.equal(mine, other)
        assert mine.dtype == torch.float32 and mine.is_contiguous()


def test_real_architectures_take_the_short_way():
    for name in ("miniclip-random", "miniclip-wide", "ViT-B-32/random", "RN50/random"):
        theirs = load_model(name).preprocess
        image = next(images())
        assert fewer_steps(theirs) is not theirs
        assert torch.equal(fewer_steps(theirs)(image), theirs(image))


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do."""

    count = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.count += 1
        return function(*arguments, **(options or {}))


def test_it_takes_as_many_steps():
    """Otherwise the module were of no use; what that saves is a row of `make bench`."""
    theirs, image = load_model("miniclip-random").preprocess, next(images())
    ours = fewer_steps(theirs)
    with Operations() as many:
        theirs(image)
    with Operations() as few:
        ours(image)
    assert 0 < 2 * few.count <= many.count


def test_the_image_and_the_preprocessing_are_left_as_they_were():
    theirs, image = preprocessing(), next(images())
    before = np.array(image), theirs(image)
    fewer_steps(theirs)(image)
    assert np.array_equal(np.array(image), before[0])
    assert torch.equal(theirs(image), before[1])


def test_other_forms_and_odd_numbers_are_left_to_openclip():
    transform = open_clip().transform
    zero = preprocessing(std=(0.5, 0.0, 0.5))
    assert fewer_steps(zero) is zero, "Normalize refuses it in words of its own"
    for steps in ([], [transform.MaybeToTensor()], [*preprocessing().transforms, torch.nn.Identity()]):
        other = transform.Compose(steps)
        assert fewer_steps(other) is other
    assert fewer_steps(len) is len


def test_an_image_that_is_not_rgb_is_left_to_openclip():
    steps = [step for step in preprocessing().transforms if type(step).__name__ != "MaybeConvertMode"]
    theirs = open_clip().transform.Compose(steps)
    palette = next(images()).convert("P").resize((32, 32))
    with pytest.raises(RuntimeError):  # three means for one channel: Normalize's own words
        theirs(palette)
    with pytest.raises(RuntimeError):
        fewer_steps(theirs)(palette)


def test_worker_processes_can_be_sent_it():
    image = next(images())
    ours = fewer_steps(preprocessing())
    assert torch.equal(pickle.loads(pickle.dumps(ours))(image), ours(image))


def test_only_lines_are_too_stretched():
    shortest, squashed = preprocessing(size=(224, 224)), preprocessing(size=(224, 224), resize_mode="squash")
    assert too_stretched(shortest, 1, 60_000)
    assert not too_stretched(squashed, 1, 60_000)
    assert not too_stretched(shortest, 4_000, 100)
