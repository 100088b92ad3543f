"""What a replication consists of, by what was asked for."""

from gapkit.experiments import plan


def names(*arguments, **options):
    return {job.experiment for job in plan(*arguments, **options)}


def test_a_dataset_of_ones_own_brings_the_shipped_training_curves_along():
    assert "formation" in names()
    assert "formation" in names(("miniclip-wide",))
    assert "formation" not in names((), ("digits10",))
    assert "formation" in names((), ("digits10",), only=("gap", "formation"))


def test_the_family_is_compared_although_only_one_member_was_asked_for():
    assert "family" in names()
    assert "family" not in names(("miniclip-wide",))


def test_the_full_plan_lacks_a_seed_or_repeats_a_job():
    quick, full = plan(), plan(full=True)
    assert {(j.experiment, j.model, j.dataset) for j in quick} < {
        (j.experiment, j.model, j.dataset) for j in full
    }
    assert {"miniclip-wide@1", "miniclip-learned@2"} <= {
        job.model for job in full if job.experiment == "noise"
    }
    assert len({(j.experiment, j.model, j.dataset) for j in full}) == len(full)
