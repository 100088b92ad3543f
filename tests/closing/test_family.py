"""What holds for every closer: scikit-learn's conventions, affine maps, guarantees, files."""

import inspect
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from gapkit.closing import CLOSERS, GapCloser, MeanShift, ProjectedShift, load_closer
from gapkit.closing.catalogue import find_closer
from gapkit.closing.published import GRCLIP, I0T, ReAlign, RenormalisedShift
from gapkit.errors import InputError
from gapkit.geometry import nearest
from gapkit.geometry.galleries import METRICS
from tests.closing.conftest import make_sides

EVERY = list(CLOSERS.values())
RENORMALISING = (I0T, GRCLIP, ReAlign, RenormalisedShift)
SETTINGS = [
    *(kind() for kind in EVERY),
    GapCloser(alpha=0.5, n_components=3),
    GapCloser(moves="queries"),
    GapCloser(moves="both", n_components=0.5),
    MeanShift(alpha=-1, moves="queries"),
    MeanShift(moves="both"),
]


def fit(closer, rng, k=10, **options):
    x, y = make_sides(rng, k=k, **options)
    if type(closer).__name__ == "Procrustes":
        y = y[:k]
    return clone(closer).fit(x, y), x, y


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_clone_and_parameters_follow_scikit_learn(closer, rng):
    fitted, *_ = fit(closer, rng)
    copy = clone(fitted)
    assert copy.get_params() == closer.get_params()
    assert not hasattr(copy, "n_features_in_")
    assert set(inspect.signature(type(closer).__init__).parameters) - {"self", "args", "kwargs"} == set(
        closer.get_params()
    )
    assert fitted.moves in ("gallery", "queries", "both")
    assert len(type(closer).reference) > 20


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_a_pipeline_moves_what_the_closer_moves(closer, rng):
    fitted, x, y = fit(closer, rng)
    line = Pipeline([("closer", clone(closer))]).fit(x, y)
    if fitted.moves == "both":
        with pytest.raises(InputError, match="transform_pair"):
            line.transform(x)
    else:
        z = x if fitted.moves == "gallery" else y
        np.testing.assert_array_equal(line.transform(z), fitted.transform(z))
        np.testing.assert_array_equal(clone(closer).fit_transform(x, y), fitted.transform(z))


def test_fit_options_reach_the_closer_through_a_pipeline(rng):
    x, _ = make_sides(rng)
    line = Pipeline([("closer", GapCloser())]).fit(x, closer__gap=np.ones(24))
    np.testing.assert_array_equal(line["closer"].gap_, np.ones(24))


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_transform_is_one_half_of_transform_pair_and_the_other_stays(closer, rng):
    fitted, x, y = fit(closer, rng)
    a, b = fitted.transform_pair(x, y)
    assert a is not x
    assert b is not y
    if fitted.moves == "gallery":
        np.testing.assert_array_equal(a, fitted.transform(x))
    if fitted.moves == "queries":
        np.testing.assert_array_equal(b, fitted.transform(y))
    assert (a != x).any() == (fitted.moves != "queries")
    assert (b != y).any() == (fitted.moves != "gallery")


@pytest.mark.parametrize("closer", [c for c in SETTINGS if type(c) not in RENORMALISING], ids=repr)
def test_the_linear_part_is_what_noise_goes_through(closer, rng):
    fitted, x, y = fit(closer, rng)
    for side, z, position in (("gallery", x, 0), ("queries", y, 1)):
        noise = rng.standard_normal(z.shape)
        noisy = (x + noise, y) if side == "gallery" else (x, y + noise)
        both = fitted.transform_pair(*noisy, perturbed=True)
        linear = fitted.linear_part(side)
        expected = noise if linear is None else noise @ linear.T
        np.testing.assert_allclose(
            both[position] - fitted.transform_pair(x, y)[position], expected, atol=1e-12
        )


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_rows_are_moved_one_by_one(closer, rng):
    fitted, x, y = fit(closer, rng)
    whole, single = fitted.transform_pair(x, y), fitted.transform_pair(x[4:5], y[7:8])
    np.testing.assert_allclose(single[0], whole[0][4:5], atol=1e-14)
    np.testing.assert_allclose(single[1], whole[1][7:8], atol=1e-14)


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
@pytest.mark.parametrize("metric", METRICS)
def test_what_is_guaranteed_holds(closer, metric, rng):
    for seed in range(5):
        fitted, x, y = fit(closer, np.random.default_rng(seed), k=16, m=100)
        strangers = rng.standard_normal((200, 24))
        if metric in fitted.guarantee:
            for queries in (y, strangers):
                a, b = fitted.transform_pair(x, queries)
                assert (nearest(b, a, metric=metric) == nearest(queries, x, metric=metric)).all()


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_guaranteed_can_fail(closer, metric, rng):
    fitted, x, y = fit(closer, rng, k=16)
    if metric in fitted.guarantee:
        return
    a, b = fitted.transform_pair(x, 3 * rng.standard_normal((4000, 24)) + y.mean(0))
    strangers = 3 * np.random.default_rng(5).standard_normal((4000, 24)) + y.mean(0)
    a, b = fitted.transform_pair(x, strangers)
    assert (nearest(b, a, metric=metric) != nearest(strangers, x, metric=metric)).any()


def test_the_cosine_is_promised_only_for_rows_of_one_length(rng):
    x, y = make_sides(rng)
    assert GapCloser().fit(x, y).guarantee == METRICS
    assert GapCloser().fit(x.astype(np.float32), y).guarantee == METRICS
    uneven = GapCloser().fit(x * np.linspace(1, 2, 10)[:, None], y)
    assert uneven.guarantee == ("euclidean", "dot")


def test_an_unfitted_full_rank_closer_already_promises():
    assert GapCloser().guarantee == METRICS
    assert GapCloser(n_components=5).guarantee == ("dot",)
    assert MeanShift(moves="queries").guarantee == ()


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_renamed_axes_rename_the_result(closer, rng):
    # Rotating the space must rotate the outcome, but for what works dimension by dimension.
    if type(closer).__name__ == "Standardisation":
        pytest.skip("standardisation singles out the axes by definition")
    fitted, x, y = fit(closer, rng)
    rotation = np.linalg.qr(rng.standard_normal((24, 24)))[0]
    turned = clone(closer).fit(x @ rotation, y @ rotation).transform_pair(x @ rotation, y @ rotation)
    for straight, other in zip(fitted.transform_pair(x, y), turned, strict=True):
        np.testing.assert_allclose(straight @ rotation, other, atol=1e-10)


# Files.


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_a_saved_closer_comes_back_the_same(closer, rng, tmp_path):
    fitted, x, y = fit(closer, rng)
    path = fitted.save(tmp_path / "closer.safetensors")
    again = load_closer(path)
    assert type(again) is type(fitted)
    assert again.get_params() == fitted.get_params()
    assert again.guarantee == fitted.guarantee
    assert vars(again).keys() == vars(fitted).keys()
    for one, other in zip(fitted.transform_pair(x, y), again.transform_pair(x, y), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [p.name for p in tmp_path.iterdir()] == ["closer.safetensors"]


def test_a_file_of_the_class_under_its_first_name_is_refused(rng, tmp_path):
    x, y = make_sides(rng)
    fitted = ProjectedShift(n_components=3).fit(x, y)
    old = damaged(fitted.save(tmp_path / "c.safetensors"), tmp_path, facts={"closer": "GapCloser"})
    again = load_closer(old)
    assert type(again) is ProjectedShift
    np.testing.assert_array_equal(again.transform(x), fitted.transform(x))


def test_a_closer_is_found_by_no_name_but_its_class():
    assert GapCloser is ProjectedShift
    for title, kind in CLOSERS.items():
        assert kind.name == title
        assert find_closer(title) is find_closer(title.split()[0]) is find_closer(kind.__name__) is kind
    with pytest.raises(InputError, match="no closer 'projekted shift' .did you mean 'projected shift'"):
        find_closer("projekted shift")


def test_numpy_hyperparameters_are_saved_as_numbers(rng, tmp_path):
    x, y = make_sides(rng)
    path = GapCloser(alpha=np.float32(0.5), n_components=np.int64(3)).fit(x, y).save(tmp_path / "c")
    assert load_closer(path).get_params() == {"alpha": 0.5, "n_components": 3, "moves": "gallery"}


def test_unfitted_closers_are_not_saved(tmp_path):
    with pytest.raises(InputError, match="not fitted"):
        GapCloser().save(tmp_path / "c.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(rng, tmp_path, monkeypatch):
    x, y = make_sides(rng)
    closer = GapCloser().fit(x, y)
    path = closer.save(tmp_path / "c.safetensors")
    before = path.read_bytes()
    monkeypatch.setattr(
        "safetensors.numpy.save_file", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(InputError, match="No space left"):
        closer.save(path)
    assert path.read_bytes() == before


def damaged(path, tmp_path, **changes):
    """A copy of a saved closer with other metadata or tensors."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        header = dict(file.metadata())
    facts = json.loads(header["gapkit_closer"]) | changes.get("facts", {})
    if not changes.get("hashed"):  # as files were before there was one
        header.pop("gapkit_closer_sha256")
    facts["parameters"] |= changes.get("parameters", {})
    facts["fitted"] |= changes.get("fitted", {})
    header |= {"gapkit_closer": json.dumps(facts)} | changes.get("header", {})
    other = tmp_path / "damaged.safetensors"
    save_file(load_file(path) | changes.get("tensors", {}), other, metadata=header)
    return other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"header": {"gapkit_closer_format": "2"}}, "format version 2.*Upgrade"),
        ({"header": {"gapkit_closer_format": "new"}}, "damaged"),
        ({"header": {"gapkit_closer": "{"}}, "damaged"),
        ({"header": {"gapkit_closer": "[]"}}, "nothing usable"),
        ({"facts": {"closer": "TimeMachine"}}, "does not know"),
        ({"facts": {"parameters": {"beta": 1}}}, "hyperparameters"),
        ({"facts": {"fitted": {}}}, "in which dimension"),
        ({"tensors": {"shift_": np.full(24, np.nan)}}, "not finite"),
        ({"tensors": {"gallery_offset_": np.ones(5)}}, "width 24"),
        ({"tensors": {"gallery_offset_": np.ones(24, dtype=np.float32)}}, "float64"),
        ({"tensors": {"gallery_linear_": np.ones((3, 24))}}, r"shape \(3, 24\), not \(24, 24\)"),
        ({"tensors": {"surplus_": np.ones(24)}}, "lists the arrays"),
        *(({"parameters": {"moves": value}}, "damaged: moves must be") for value in ("x", None, 1, [], "\n")),
        *(
            ({"parameters": {"alpha": value}}, "damaged: alpha must be")
            for value in ("1", None, [1], 10**400, True)
        ),
        *(
            ({"parameters": {"n_components": value}}, "damaged: n_components must")
            for value in ("x", -1, True, [1])
        ),
        *(({"fitted": {"n_rows_in_": value}}, "damaged: n_rows_in_ must") for value in ("x", {}, 10**400)),
        ({"parameters": {"moves": "queries"}, "hashed": True}, "not what was written"),
        ({"tensors": {"shift_": np.ones(24)}, "hashed": True}, "not what was written"),
    ],
)
def test_damaged_files_are_refused(rng, tmp_path, changes, message):
    x, y = make_sides(rng)
    path = damaged(GapCloser().fit(x, y).save(tmp_path / "c.safetensors"), tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        load_closer(path)


@pytest.mark.parametrize("closer", SETTINGS, ids=repr)
def test_a_file_that_lacks_one_array_is_refused(closer, rng, tmp_path):
    """Without its offset a closer would be the identity, and still promise what it promised."""
    path = fit(closer, rng)[0].save(tmp_path / "c.safetensors")
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        header = file.metadata()
    whole = load_file(path)
    for gone in whole:
        other = tmp_path / "lacking.safetensors"
        save_file({name: array for name, array in whole.items() if name != gone}, other, metadata=header)
        with pytest.raises(InputError, match="lists the arrays|not what was written"):
            load_closer(other)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_files_are_refused(rng, tmp_path, length):
    x, y = make_sides(rng)
    path = GapCloser().fit(x, y).save(tmp_path / "c.safetensors")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="not a readable safetensors"):
        load_closer(path)


def test_foreign_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        load_closer(tmp_path / "nowhere")
    save_file({"a": np.ones(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="holds no closer"):
        load_closer(tmp_path / "foreign.safetensors")


def test_torch_in_torch_out_for_pairs(rng):
    x, y = (torch.from_numpy(z) for z in make_sides(rng))
    for kind in EVERY:
        a, b = kind().fit(x, y[:10]).transform_pair(x.float(), y)
        assert isinstance(a, torch.Tensor)
        assert a.dtype == torch.float32
        assert b.dtype == torch.float64
