"""The shipped data: complete, unchanged, small enough, and the models as good as they are said to be."""

import numpy as np
import pytest
import torch

import gapkit
from gapkit._paths import data_folder, read_manifest
from gapkit.cli.embeddings import fetch
from gapkit.datasets import load_dataset
from gapkit.errors import InputError
from gapkit.geometry import gap_vector
from gapkit.tasks import nearest
from tools.data import check_manifest, describe, quality_table, write_manifest

EVERYWHERE = ("wide", "t0.01", "learned", "siglip")
RUNS = [
    f"miniclip-{name}" + (f"@{seed}" if seed else "")
    for name in (*EVERYWHERE, "t0.005", "t0.03")
    for seed in range(3)
]


def test_every_shipped_file_is_as_the_manifest_says():
    assert check_manifest(data_folder()) == []


def test_every_entry_has_a_source_a_licence_and_a_command():
    for entry in read_manifest(data_folder()).values():
        assert all(entry[key] for key in ("source", "licence", "command", "sha256")), entry


def test_all_shipped_data_fit_into_eighty_megabytes_as_everybody_is_told():
    assert 75_000_000 < sum(entry["bytes"] for entry in read_manifest(data_folder()).values()) <= 80_000_000
    page = (data_folder().parent / "docs" / "repository.md").read_text(encoding="utf-8")
    assert "Models and data (80 MB) are downloaded" in page
    assert "shipped with gapkit (80 MB)" in next(o.help for o in fetch.params if o.name == "shipped")


def test_a_changed_an_extra_and_a_missing_file_are_each_reported(tmp_path):
    (tmp_path / "curves").mkdir()
    for name in ("miniclip-wide", "miniclip-wide@1"):
        (tmp_path / "curves" / f"{name}.json").write_text("{}")
    write_manifest(tmp_path)
    assert check_manifest(tmp_path) == []
    (tmp_path / "curves" / "miniclip-wide.json").write_text("[]")
    (tmp_path / "curves" / "miniclip-wide@1.json").unlink()
    (tmp_path / "stray.bin").write_bytes(b"")
    assert check_manifest(tmp_path) == [
        "data/curves/miniclip-wide.json: sha256 differs",
        "data/curves/miniclip-wide@1.json: listed but missing",
        "data/stray.bin: not listed",
    ]


def test_a_file_of_unknown_origin_cannot_enter_the_manifest():
    with pytest.raises(InputError, match="provenance"):
        describe("data/somewhere/else.npy")


@pytest.mark.parametrize(("dataset", "least"), [("digits10", 0.98), ("scenes100", 0.95)])
@pytest.mark.parametrize("run", RUNS)
def test_a_trained_member_is_too_weak_for_the_experiments(run, dataset, least):
    entries = gapkit.load_embeddings(f"{run}/{dataset}")
    answers = nearest(entries.images, entries.texts, metric="cosine")
    accuracy = float((torch.as_tensor(answers) == torch.as_tensor(entries.labels)).double().mean())
    assert accuracy >= least


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_trained_member_cannot_answer_the_four_option_questions(name):
    entries = gapkit.load_embeddings(f"miniclip-{name}/scenes-vqa")
    images = torch.as_tensor(entries.images)[torch.as_tensor(entries.image_rows)]
    texts = torch.as_tensor(entries.texts)[torch.as_tensor(entries.options)]
    chosen = torch.einsum("nd,ncd->nc", images, texts).argmax(1)
    assert float((chosen == torch.as_tensor(entries.answers)).double().mean()) >= 0.6


def test_the_readme_says_something_else_about_the_models_than_their_embeddings_do():
    said = (data_folder() / "README.md").read_text(encoding="utf-8")
    assert said.split("<!-- quality:begin -->")[1].split("<!-- quality:end -->")[0].strip() == quality_table(
        data_folder()
    )


def test_the_gaps_of_the_family_span_the_range_the_lessons_rely_on():
    """Held-out ‖g‖, from the embeddings: about 0.1 to 0.8, and every seed of the wide setting above 0.6."""
    gaps = {}
    for run in RUNS:
        entries = gapkit.load_embeddings(f"{run}/scenes100")
        gaps[run] = float(np.linalg.norm(gap_vector(entries.texts, entries.images)))
    assert min(gap for run, gap in gaps.items() if "wide" in run) > 0.6
    assert min(gaps.values()) < 0.2
    assert max(gaps.values()) > 0.75


def test_the_random_control_is_what_its_seed_makes_it():
    model = gapkit.load_model("miniclip-random")
    dataset = load_dataset("scenes100")
    entries = gapkit.load_embeddings("miniclip-random/scenes100")
    texts = model.encode_texts([prompts[0] for prompts in dataset.prompts[:5]])
    images = model.encode_images([dataset.images[i] for i in range(3)])
    np.testing.assert_allclose(texts, np.asarray(entries.texts)[:5], atol=1e-3)
    np.testing.assert_allclose(images, np.asarray(entries.images)[:3], atol=1e-3)
    assert float(torch.as_tensor(gap_vector(entries.texts, entries.images)).norm()) > 0.5


def test_shipped_weights_give_the_shipped_embeddings():
    model = gapkit.load_model("miniclip-wide")
    dataset = load_dataset("scenes100")
    entries = gapkit.load_embeddings("miniclip-wide/scenes100")
    images = model.encode_images([dataset.images[i] for i in range(4)])
    np.testing.assert_allclose(images, np.asarray(entries.images)[:4], atol=1e-3)


def test_the_tower_of_few_wordings_is_no_stand_in_for_what_it_was_made_for():
    """Untouched figures alone: rewording costs over six points, and texts span well over a hundred dimensions."""
    entries = gapkit.load_embeddings("miniclip-few-words/scenes100-reworded")
    blocks = entries.texts.astype(float).reshape(9, 100, -1)
    accuracy = [(nearest(entries.images, texts) == entries.labels).mean() for texts in blocks]
    assert accuracy[0] - np.mean(accuracy[1:]) > 0.06
    texts = gapkit.load_embeddings("miniclip-few-words/scenes-twins").texts.astype(float)
    assert (np.linalg.svd(texts - texts.mean(0), compute_uv=False) > 0.01).sum() > 150


@pytest.mark.parametrize("model", ["miniclip-wide", "miniclip-few-words"])
def test_margins_among_near_twins_are_wider_than_the_texts_spread_along_the_gap(model):
    """As on every real set tried: there the raw shift can change answers."""
    entries = gapkit.load_embeddings(f"{model}/scenes-twins")
    texts = entries.texts.astype(float).reshape(24, 100, -1)
    images = entries.images.astype(float).reshape(24, 20, -1)
    squares = np.sort(np.square(images[:, :, None] - texts[:, None]).sum(-1), axis=-1)
    gaps = images.mean((0, 1)) - texts.mean(1)  # (24, d)
    spread = np.einsum("gkd,gd->gk", texts, gaps).std(1)
    assert np.median(squares[..., 1] - squares[..., 0]) / 2 < 0.5 * np.median(spread)


def test_a_model_without_weights_does_not_say_how_to_make_them():
    with pytest.raises(InputError, match="gapkit train-miniclip siglip --seed 0 --out runs/siglip-0"):
        gapkit.load_model("miniclip-siglip")
