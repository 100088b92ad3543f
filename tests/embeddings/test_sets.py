import numpy as np
import pytest
import torch

from gapkit.embeddings import EmbeddingSet
from gapkit.errors import InputError


def toy(task="zero-shot", **changes):
    rng = np.random.default_rng(0)
    fields = {"images": rng.standard_normal((6, 5)), "texts": rng.standard_normal((4, 5)), "task": task}
    if task == "zero-shot":
        fields["labels"] = [0, 1, 2, 3, 0, 1]
    if task == "pairs":
        fields["texts"] = rng.standard_normal((6, 5))
    if task == "multiple-choice":
        fields |= {
            "options": [[0, 1], [2, 3], [1, 0]],
            "answers": [0, 1, 1],
            "image_rows": [5, 5, 0],
            "groups": ["colour", "shape", "colour"],
        }
    return EmbeddingSet(**(fields | changes))


def test_matched_rows_are_the_right_text_and_its_image():
    zero_shot = toy()
    texts, images = zero_shot.matched()
    assert np.array_equal(texts, zero_shot.texts[[0, 1, 2, 3, 0, 1]])
    assert images is zero_shot.images
    choice = toy("multiple-choice")
    texts, images = choice.matched()
    assert np.array_equal(texts, choice.texts[[0, 3, 0]])
    assert np.array_equal(images, choice.images[[5, 5, 0]])


def test_torch_and_half_precision_come_in_and_callers_arrays_stay_untouched():
    images, texts = torch.randn(3, 4).half(), torch.randn(3, 4, dtype=torch.float64)
    before = images.clone()
    pairs = EmbeddingSet(images=images, texts=texts, task="pairs")
    assert pairs.images.dtype == np.float32
    assert pairs.texts.dtype == np.float64
    unit = pairs.normalise()
    assert np.abs(np.linalg.norm(unit.images.astype(float), axis=1) - 1).max() < 1e-7
    assert torch.equal(images, before)
    assert np.array_equal(pairs.images, before.float().numpy())


def test_moving_rows_drops_the_claim_that_they_are_normalised():
    unit = toy().normalise()
    assert unit.normalised
    assert not unit.replace(texts=unit.texts + 1).normalised
    assert unit.replace(metadata={"model": "x"}).normalised


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("zero-shot", {"images": np.zeros(512)}, r"images must have shape \(n, d\); got \(512,\)"),
        ("zero-shot", {"texts": np.zeros((4, 7))}, "same dimension; got d=5 and d=7"),
        ("zero-shot", {"texts": np.zeros((0, 5))}, "texts must not be empty"),
        ("zero-shot", {"images": np.full((6, 5), np.nan)}, "images must be finite; 30 of 30"),
        ("zero-shot", {"images": [["a"] * 5] * 6}, "images must hold real numbers"),
        ("zero-shot", {"labels": [0, 1, 2, 3, 0, 4]}, r"labels must lie in 0 … 3; got 0 … 4"),
        ("zero-shot", {"labels": [0, 1]}, "labels must have 6 entries; got 2"),
        ("zero-shot", {"labels": None}, "labels are needed"),
        ("zero-shot", {"labels": [0.5] * 6}, "labels must be a vector of whole numbers"),
        ("zero-shot", {"normalised": True}, "images must have rows of length 1"),
        ("zero-shot", {"text_names": ["one"]}, "text_names must have 4 entries"),
        ("zero-shot", {"options": [[0, 1]]}, "options belongs to the task 'multiple-choice'"),
        ("pairs", {"texts": np.ones((3, 5))}, "matched row by row for the task 'pairs'; got 6 and 3"),
        ("pairs", {"labels": [1, 0, 2, 3, 4, 5]}, "text i belongs to image i"),
        ("multiple-choice", {"answers": [0, 1, 2]}, "answers must lie in 0 … 1"),
        ("multiple-choice", {"options": [[0, 9], [2, 3], [1, 0]]}, "options must lie in 0 … 3"),
        ("multiple-choice", {"image_rows": None}, "image_rows are needed"),
        ("multiple-choice", {"labels": [0, 1, 2]}, "labels have no meaning"),
        ("multiple-choice", {"answers": None}, "options and answers are needed"),
        ("multiple-choice", {"groups": ["colour"]}, "groups must have 3 entries"),
    ],
)
def test_every_inconsistency_gets_a_message_that_names_it(task, changes, message):
    with pytest.raises(InputError, match=message):
        toy(task, **changes)


def test_unknown_task_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'zero-shot'"):
        toy(task="zero-shots")
