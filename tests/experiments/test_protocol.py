import numpy as np
import pytest

from gapkit.embeddings import EmbeddingSet
from gapkit.errors import InputError
from gapkit.experiments import Job, zero_shot_task
from gapkit.experiments import protocol as p
from gapkit.experiments.data import load_set
from gapkit.experiments.drawn import compare_with_exact, noisy_answers
from gapkit.experiments.plan import locate
from gapkit.robustness import robustness
from tests.experiments.toys import MODEL, make_sets


@pytest.fixture(scope="module")
def task(toy):
    return zero_shot_task(MODEL, toy["classes"])


def nearest_by_loops(queries, gallery):
    return np.array([np.argmin([np.linalg.norm(x - y) for x in gallery]) for y in queries])


def test_the_untouched_gallery_is_perturbed_and_then_moved_by_the_one_fit(task):
    closer = p.fit_closer(p.PROJECTED, task)
    noise = 0.1 * np.random.default_rng(0).standard_normal(task.gallery.shape)
    got = p.answers_after(task, closer, 0.7, task.gallery + noise)
    moved = task.gallery + noise + 0.7 * closer.shift_
    np.testing.assert_array_equal(got, nearest_by_loops(task.queries, moved))
    # The order matters where the perturbation is no translation:
    halved = p.answers_after(task, closer, 1.0, task.gallery / 2)
    np.testing.assert_array_equal(halved, nearest_by_loops(task.queries, task.gallery / 2 + closer.shift_))


def test_drawn_answers_are_those_of_the_protocol(task):
    """The shortcut through one matrix of distances, against moving each noisy gallery."""
    closer = p.fit_closer(p.PROJECTED, task)
    got = noisy_answers(task, closer, (0.0, 0.5, 1.5), 0.08, draws=3, seed=4)
    rng = np.random.default_rng([4, 0])
    for draw in range(3):
        noisy = task.gallery + 0.08 * rng.standard_normal(task.gallery.shape)
        for alpha, answers in got.items():
            expected = nearest_by_loops(task.queries, noisy + alpha * closer.shift_)
            np.testing.assert_array_equal(answers[draw], expected)


def test_refitting_on_the_perturbed_gallery_has_no_effect_and_the_protocol_has(task):
    rng = np.random.default_rng(1)
    closer = p.fit_closer(p.PROJECTED, task)
    changed = 0
    for _ in range(5):
        noisy = task.gallery + 0.1 * rng.standard_normal(task.gallery.shape)
        plain = nearest_by_loops(task.queries, noisy)
        again = p.refitted_answers(task, noisy)
        np.testing.assert_array_equal(again, plain)
        changed += int((p.answers_after(task, closer, 1.0, noisy) != plain).sum())
    assert changed > 0


def test_comparison_of_drawn_and_exact_sees_a_wrong_sigma(task):
    closer = p.fit_closer(p.PROJECTED, task)
    clean = p.answers_after(task, closer, 0.0)
    noisy = noisy_answers(task, closer, (0.0,), 0.08, draws=200, seed=0)
    assert compare_with_exact(noisy, clean, robustness(task.queries, task.gallery, sigma=0.08)) < 4
    assert compare_with_exact(noisy, clean, robustness(task.queries, task.gallery, sigma=0.1)) > 6


def test_data_hash_changes_with_a_single_number(tmp_path):
    one = make_sets()["classes"]
    images = one.images.copy()
    images[0, 0] += 1e-6
    other = EmbeddingSet(images=images, texts=one.texts, task="zero-shot", labels=one.labels)
    paths = [str(s.save(tmp_path / f"{i}.safetensors")) for i, s in enumerate((one, other, one))]
    hashes = [locate(Job("gap", MODEL, path)).sha256 for path in paths]
    assert hashes[0] == hashes[2] != hashes[1]
    assert locate(Job("theory")).sha256 == ""


def test_a_file_saved_again_under_its_name_gives_the_old_numbers_or_the_old_hash(tmp_path):
    sets = make_sets()["classes"], make_sets(seed=1)["classes"]
    path, jobs = tmp_path / "mine.safetensors", []
    for entries in sets:
        entries.save(path)
        jobs.append(locate(Job("gap", MODEL, str(path))))
        np.testing.assert_allclose(load_set(*jobs[-1].source).images, entries.images, atol=1e-6)
        np.testing.assert_allclose(zero_shot_task(MODEL, str(path)).gallery, entries.texts, atol=1e-6)
    assert jobs[0].sha256 != jobs[1].sha256
    assert jobs[0].key() != jobs[1].key()
    with pytest.raises(InputError, match="has changed since"):
        load_set(*jobs[0].source)


def test_multiple_choice_sets_are_no_zero_shot_task(toy):
    with pytest.raises(InputError, match="multiple-choice"):
        zero_shot_task(MODEL, toy["choice"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing.safetensors"):
        load_set("", str(tmp_path / "nothing.safetensors"))
