import numpy as np
import pytest

from gapkit.datasets import load_dataset
from gapkit.datasets.builtin import _SEEDS, QUESTION_TYPES
from gapkit.datasets.captions import (
    REWORDINGS,
    SCENE_CLASS_NAMES,
    SCENE_HELD_OUT,
    SCENE_TEMPLATES,
    fill_digit,
)
from gapkit.datasets.registry import BUILTIN_DATASETS
from gapkit.datasets.scenes import COLOURS, SHAPES, sample_scenes
from gapkit.errors import InputError


@pytest.fixture(scope="module")
def vqa():
    return load_dataset("scenes-vqa")


@pytest.mark.parametrize("name", BUILTIN_DATASETS)
def test_builtin_datasets_are_the_same_every_time(name):
    assert load_dataset(name).fingerprint() == load_dataset(name).fingerprint()


def test_sizes_and_balance():
    digits, scenes, pairs = (load_dataset(name) for name in ("digits10", "scenes100", "scenes-pairs"))
    assert (len(digits), len(digits.prompts)) == (360, 10)
    assert (np.bincount(scenes.labels) == 5).all()
    assert len(scenes.prompts) == 100
    assert len(set(pairs.prompts)) == len(pairs) == 300


def test_train_and_test_digits_share_no_image():
    train, test = (load_dataset("digits10", split=split) for split in ("train", "test"))
    assert len(train) + len(test) == 1797
    seen = {image.tobytes() for image in train.images.pixels}
    repeats = sum(image.tobytes() in seen for image in test.images.pixels)
    assert repeats <= 1, "a digit may occur twice in the source, but the splits must be disjoint"


def test_labels_match_class_names():
    scenes = load_dataset("scenes100")
    for row in (0, 37, 99, 123):
        label = scenes.labels[row]
        shape, colour = SHAPES[label // 10], list(COLOURS)[label % 10]
        assert scenes.text_names[label] == f"{colour} {shape}"
        assert scenes.prompts[label][0].endswith(f"{colour} {shape}")


def test_templates_and_synonyms_change_only_the_texts():
    plain = load_dataset("scenes100")
    other = load_dataset("scenes100", template="photograph of {a_object}", synonyms=True)
    assert other.prompts[0] == ("photograph of a crimson disc",)
    assert np.array_equal(plain.images.pixels, other.images.pixels)
    assert plain.fingerprint() != other.fingerprint()


def test_blocks_of_the_rephrased_gallery_are_the_templates_in_order():
    rephrased, plain = load_dataset("scenes100-rephrased"), load_dataset("scenes100")
    templates = rephrased.notes["templates"]
    assert len(rephrased.prompts) == 100 * len(templates)
    assert rephrased.prompts[:100] == plain.prompts
    for block, about in enumerate(templates):
        expected = load_dataset("scenes100", template=about["template"], synonyms=about["synonyms"]).prompts
        assert rephrased.prompts[100 * block : 100 * block + 100] == expected
    assert [about["held_out"] for about in templates].count(True) == 6
    assert templates[-1]["synonyms"]


def test_every_image_has_one_question_of_each_type(vqa):
    assert vqa.options.shape == (1200, 4)
    assert np.array_equal(np.bincount(vqa.image_rows), np.full(300, 4))
    for kind in QUESTION_TYPES:
        rows = [i for i, group in enumerate(vqa.groups) if group == kind]
        assert sorted(vqa.image_rows[rows]) == list(range(300))


def test_options_differ_and_the_right_one_is_nowhere_in_particular(vqa):
    assert all(len(set(row)) == 4 for row in vqa.options)
    counts = np.bincount(vqa.answers, minlength=4)
    assert (abs(counts - 300) < 5 * np.sqrt(1200 * 0.25 * 0.75)).all()


def test_no_text_is_right_so_often_that_looking_is_needless(vqa):
    """Blind guessing, by how often each text is right, must stay near chance: 1/4."""
    right = vqa.options[np.arange(1200), vqa.answers]
    half = np.arange(1200) % 8 < 4
    often = np.bincount(right[half], minlength=len(vqa.prompts))
    offered = np.bincount(vqa.options[half].ravel(), minlength=len(vqa.prompts))
    rate = (often + 1) / (offered + 4)
    guesses = rate[vqa.options[~half]].argmax(1)
    assert (guesses == vqa.answers[~half]).mean() < 0.35


def test_which_object_cannot_be_answered_by_shape_alone(vqa):
    for row in (row for row, kind in enumerate(vqa.groups) if kind == "which-object"):
        shapes = [vqa.prompts[i][0].split()[2] for i in vqa.options[row]]
        assert shapes.count(shapes[vqa.answers[row]]) == 2


def test_other_questions_name_the_right_object(vqa):
    """A colour question must ask for the shape whose colour its answer names: check it on the scene itself."""
    scenes = sample_scenes(np.random.default_rng(_SEEDS["scenes-vqa"]), np.full(300, 2))
    colours = list(COLOURS)
    for row, (kind, image) in enumerate(zip(vqa.groups, vqa.image_rows, strict=True)):
        right = vqa.prompts[vqa.options[row, vqa.answers[row]]][0].split()
        shown = {
            SHAPES[s]: colours[c] for s, c in zip(scenes.shape[image], scenes.colour[image], strict=True)
        }
        if kind == "left-shape":
            assert right[1] == SHAPES[scenes.shape[image, 0]]
        elif kind == "right-shape":
            assert right[1] == SHAPES[scenes.shape[image, 1]]
        elif kind == "colour":
            assert shown[right[1]] == right[3]
        else:
            assert shown[right[2]] == right[1]


def test_bad_options_name_the_dataset(tmp_path):
    with pytest.raises(InputError, match="dataset digits10"):
        load_dataset("digits10", colour="red")
    with pytest.raises(InputError, match="did you mean 'scenes100'"):
        load_dataset("scenes10")
    with pytest.raises(InputError, match="say dataset 'folder' with its root"):
        load_dataset(str(tmp_path))
    with pytest.raises(InputError, match="split must be one of"):
        load_dataset("digits10", split="dev")


@pytest.mark.parametrize(
    "template",
    ["{digit.x}", "{digit.__class__}", "{digit[0]}", "{digit:>9999999}", "{digit!r}", "{} {digit}", "{{digit}}",
     "{digit} {", "seven", ""],
)  # fmt: skip
def test_a_template_is_no_format_string(template):
    with pytest.raises(InputError, match="gap {digit}|template"):
        fill_digit(template, "seven")
    assert fill_digit("{digit}, {digit} \\1", "seven") == "seven, seven \\1"


def test_near_twins_differ_in_more_than_one_thing_or_repeat_in_their_gallery():
    twins = load_dataset("scenes-twins")
    galleries = np.array([text for (text,) in twins.prompts]).reshape(24, 20, 5)
    assert np.array_equal(twins.labels, np.arange(480) * 5)
    for gallery in galleries:
        assert len(set(gallery.ravel())) == 100
    for right, *others in galleries.reshape(-1, 5):
        words = right.split(" to the left of ")
        for other in others:
            changed = [a != b for a, b in zip(right.split(), other.split(), strict=True)]
            traded = other == " to the left of ".join(reversed(words))
            swapped = sorted(right.split()) == sorted(other.split())  # colours traded; an article may follow
            an = sum(a.strip("n") != b.strip("n") for a, b in zip(right.split(), other.split(), strict=True))
            assert traded or swapped or an == 1 or sum(changed) == 2, (right, other)


def test_people_say_it_in_words_that_were_trained_on():
    reworded = load_dataset("scenes100-reworded")
    assert len(reworded.prompts) == 100 * (1 + len(REWORDINGS))
    assert not set(REWORDINGS) & {*SCENE_TEMPLATES, *SCENE_HELD_OUT}
    for block in range(1, len(REWORDINGS) + 1):
        texts = [text for (text,) in reworded.prompts[100 * block : 100 * block + 100]]
        for name, text in zip(SCENE_CLASS_NAMES, texts, strict=True):
            assert set(name.split()) <= set(text.replace(",", "").split())
