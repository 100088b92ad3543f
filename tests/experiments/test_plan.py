"""What a replication consists of, by what was asked for."""

import numpy as np
import pytest

from gapkit.embeddings import EmbeddingSet
from gapkit.errors import InputError
from gapkit.experiments import plan, replicate
from gapkit.experiments.plan import prepare


def names(*arguments, **options):
    return {job.experiment for job in plan(*arguments, **options)}


@pytest.fixture(scope="module")
def everything():
    """What is planned where nothing was asked for: it looks into every shipped set."""
    return plan()


def test_a_dataset_of_ones_own_brings_the_shipped_training_curves_along(everything):
    assert "formation" in {job.experiment for job in everything}
    assert "formation" in names(("miniclip-wide",))
    assert "formation" not in names((), ("digits10",))
    assert "formation" in names((), ("digits10",), only=("gap", "formation"))


def test_the_family_is_compared_although_only_one_member_was_asked_for(everything):
    assert "family" in {job.experiment for job in everything}
    assert "family" not in names(("miniclip-wide",))


def test_the_full_plan_lacks_a_seed_or_repeats_a_job(everything):
    """On one experiment of each kind of data; the rest are planned in the same loop."""
    some = ("gap", "noise", "rephrasing")
    full = plan(only=some, full=True)
    assert {(j.experiment, j.model, j.dataset) for j in everything if j.experiment in some} < {
        (j.experiment, j.model, j.dataset) for j in full
    }
    assert {"miniclip-wide@1", "miniclip-learned@2"} <= {
        job.model for job in full if job.experiment == "noise"
    }
    for jobs in (everything, full):
        assert len({(j.experiment, j.model, j.dataset) for j in jobs}) == len(jobs)


def small_set(classes, images, **metadata):
    rng = np.random.default_rng(classes)
    texts, pictures = rng.standard_normal((classes, 20)) - 1, rng.standard_normal((images, 20)) + 1
    labels = np.arange(images) % classes
    return EmbeddingSet(
        images=pictures, texts=texts, task="zero-shot", labels=labels, metadata=metadata
    ).normalise()


@pytest.mark.parametrize(("classes", "images"), [(2, 12), (3, 15), (4, 20)])
def test_a_folder_of_few_classes_can_be_replicated(tmp_path, classes, images):
    file = str(small_set(classes, images).save(tmp_path / "few.safetensors"))
    tables = replicate(plan((), (file,), only=("gap", "orthogonality"))).tables
    (row,) = tables["gap"].to_dict("records")
    assert (row["texts"], row["images"]) == (classes, images)
    assert row["separability"] == 1, "four units of distance between the means, one of spread"
    assert np.isfinite(tables["orthogonality"]["value"]).all()


def test_too_few_images_for_an_interval_are_an_error_before_anything_is_measured(tmp_path):
    file = str(small_set(2, 4).save(tmp_path / "four.safetensors"))
    with pytest.raises(InputError, match=r"has 4 images; .* at least 8"):
        plan((), (file,))


@pytest.mark.parametrize(
    "metadata",
    [
        {"notes": 5},
        {"notes": {"templates": 5}},
        {"notes": {"templates": [1, 2]}},
        {"notes": {"templates": [{"template": "{}"}] * 4}},
        {"templates": None},
    ],
)
def test_metadata_that_describe_no_wordings_are_no_wordings(tmp_path, metadata):
    file = str(small_set(6, 12, **metadata).save(tmp_path / "odd.safetensors"))
    assert {job.experiment for job in plan((), (file,), only=("gap",))} == {"gap"}
    with pytest.raises(InputError, match="nothing to do"):
        plan((), (file,), only=("rephrasing",))


def test_a_file_has_its_own_model_and_another_is_refused(tmp_path):
    file = str(small_set(6, 12).save(tmp_path / "own.safetensors"))
    for function in (plan, prepare):
        with pytest.raises(InputError, match="leave out --model miniclip-wide"):
            function(("miniclip-wide",), (file,))
    both = plan(("miniclip-wide",), (file, "digits10"), only=("gap",))
    assert {(job.model, job.dataset) for job in both} == {("own", file), ("miniclip-wide", "digits10")}


def test_what_is_shipped_is_not_embedded_again():
    assert prepare() == {}
    assert prepare(("miniclip-wide",), ("digits10", "scenes100")) == {}
