"""The self-checks: right functions of any style pass, every named mistake is recognised, nothing is given away."""

import re
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch

import gapkit
from gapkit import check, contrastive
from gapkit._options import check_number
from gapkit.check.diagnosis import difference, plain
from gapkit.check.engine import CheckFailed, exercises
from gapkit.check.inputs import gallery_and_queries
from gapkit.robustness import robustness

CHECKS = {name: one for name, one in exercises() if isinstance(one, check.Check)}
MISTAKES = [(name, sentence, wrong) for name, one in CHECKS.items() for sentence, wrong in one.mistakes]


@pytest.fixture(autouse=True)
def _same_inputs_each_time(monkeypatch):
    monkeypatch.setenv("GAPKIT_CHECK_SEED", "2026")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("seed", range(3))
def test_reference_passes_its_own_check(name, seed):
    one = CHECKS[name]
    assert repr(one(one.reference, seed=seed)).startswith(f"{name}: right")


@pytest.mark.parametrize("name", CHECKS)
def test_reference_passes_when_it_answers_in_torch(name):
    def in_torch(*arguments):
        result = CHECKS[name].reference(*arguments)
        parts = result if isinstance(result, tuple) else (result,)
        made = tuple(torch.as_tensor(np.asarray(part)) for part in parts)
        return made if isinstance(result, tuple) else made[0]

    CHECKS[name](in_torch)


@pytest.mark.parametrize(("name", "sentence", "wrong"), MISTAKES, ids=[f"{n}: {s}" for n, s, _ in MISTAKES])
@pytest.mark.parametrize("seed", range(2))
def test_each_mistake_is_recognised_by_its_own_sentence(name, sentence, wrong, seed):
    with pytest.raises(CheckFailed) as failed:
        CHECKS[name](wrong, seed=seed)
    assert str(failed.value) == f"{name} {sentence}"  # not a fault's text, which quotes the line


@pytest.mark.parametrize("name", CHECKS)
def test_unwritten_constant_and_failing_functions_are_told_apart(name):
    def unwritten(*_):
        raise NotImplementedError

    for function, said in (
        (unwritten, "is not written yet"),
        (lambda *_: None, "is a `return` missing"),
        (lambda *_: 1 / 0, "stops with ZeroDivisionError"),
        (lambda *_: "0.5", "not str"),
        (0.5, "give the function itself"),
    ):
        with pytest.raises(CheckFailed, match=re.escape(said)):
            CHECKS[name](function)


def _hard_coded(name):
    one = CHECKS[name]
    first = one.reference(*one.draw(np.random.default_rng(1)))
    return lambda *_: first


@pytest.mark.parametrize("name", CHECKS)
def test_hard_coded_result_is_rejected(name):
    with pytest.raises(CheckFailed):
        CHECKS[name](_hard_coded(name))


@pytest.mark.parametrize("name", [n for n, one in CHECKS.items() if n not in ("pair_robustness",)])
def test_changed_input_is_rejected(name):
    def greedy(*arguments):
        result = CHECKS[name].reference(*arguments)
        arguments[0][...] = 0
        return result

    with pytest.raises(CheckFailed, match="changes its input"):
        CHECKS[name](greedy)


def _unit_gap(x, y):
    g = y.mean(0) - x.mean(0)
    return g / np.linalg.norm(g)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x, y: x.mean(0) - y.mean(0), "wrong sign"),
        (_unit_gap, "times a constant"),
        (lambda x, y: (y.mean(0) - x.mean(0))[None], "axes of length 1"),
        (lambda x, y: np.array(np.full(x.shape[1], np.nan)), "NaN or infinity"),
        (lambda x, y: (y.mean(0) - x.mean(0))[::-1], "another order"),
        (lambda x, y: y.mean(0) - x.mean(0) + 1, "off by a constant"),
        (
            lambda x, y: (y.mean(0) - x.mean(0)) * (1 + 1e-5 * np.sin(np.arange(x.shape[1]) + y[0, 0])),
            "single precision",
        ),
        (lambda x, y: (y.mean(0) - x.mean(0), 1.0), "one result"),
        (lambda x, y: y.mean() - x.mean(), "too few axes"),
        (lambda x, y: y - x.mean(0), "sum or mean over an axis is missing"),
    ],
)
def test_general_differences_are_named(function, said):
    with pytest.raises(CheckFailed, match=re.escape(said)):
        check.gap_vector(function)


@pytest.mark.parametrize("name", CHECKS)
def test_a_wrong_answer_brings_warnings_of_calls_that_are_not_the_learners(name):
    def wrong(*arguments):
        result = CHECKS[name].reference(*arguments)
        off = np.random.default_rng(int(1e6 * abs(np.sum(arguments[0]))))
        parts = [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]
        made = tuple(part * off.uniform(0.3, 0.9, part.shape) for part in parts)
        return made if isinstance(result, tuple) else made[0]

    with warnings.catch_warnings(record=True) as said, pytest.raises(CheckFailed):
        warnings.simplefilter("always")
        CHECKS[name](wrong)
    assert [str(one.message) for one in said] == []


def test_messages_hold_no_number_of_the_right_result():
    rng = np.random.default_rng(0)
    right = rng.normal(size=(4, 4))
    for got in (
        -right,
        2 * right,
        right.T,
        right + 1,
        right**2,
        np.eye(4),
        right[:2],
        right * [[1], [1], [1], [2]],
    ):
        said = difference(got, right, rtol=1e-8)
        assert said
        assert not re.search(r"\d\.\d", said)


def test_a_sum_that_is_known_beforehand_is_called_zero():
    def along_the_softmax(x, y, tau):
        return np.abs(contrastive.q_matrices(x, y, tau)[0].sum(1) - 1).mean()

    with pytest.raises(CheckFailed, match="zero but for rounding"):
        check.doubly_stochastic_defect(along_the_softmax, seed=1)


def test_wrong_axis_is_told_from_the_sizes():
    assert "runs over the wrong axis" in difference(np.zeros(7), np.zeros(3), rtol=1e-8, sizes=(7, 3))
    assert "transposed" in difference(np.zeros((2, 3)), np.zeros((3, 2)), rtol=1e-8)


def test_a_function_that_wants_tensors_gets_them_and_float32_is_not_enough():
    check.gap_vector(lambda x, y: y.mean(dim=0) - x.mean(dim=0))
    with pytest.raises(CheckFailed, match="wrong sign"):
        check.gap_vector(lambda x, y: x.mean(dim=0) - y.mean(dim=0))
    assert isinstance(plain(object()), str)


def test_same_seed_gives_the_same_inputs_and_fresh_ones_differ(monkeypatch):
    seen = []

    def spy(x, y):
        seen.append(x[0, 0])
        return y.mean(0) - x.mean(0)

    monkeypatch.delenv("GAPKIT_CHECK_SEED")
    for seed in (5, 5, None, None):
        check.gap_vector(spy, seed=seed)
    rounds = np.array(seen).reshape(4, -1)
    assert np.array_equal(rounds[0], rounds[1])
    assert not np.array_equal(rounds[2], rounds[3])
    monkeypatch.setenv("GAPKIT_CHECK_SEED", "5")
    check.gap_vector(spy)
    assert np.array_equal(seen[-5:], rounds[0])


def _sample(queries, gallery, sigma, draws, seed, *, on_query=False, shared=False, error=None):
    rng = np.random.default_rng(seed)

    def nearest(y, x):
        return np.linalg.norm(y[:, None] - x[None], axis=2).argmin(1)

    clean, kept = nearest(queries, gallery), 0.0
    for _ in range(draws):
        y = queries + sigma * rng.normal(size=queries.shape) if on_query else queries
        x = (
            gallery
            if on_query
            else gallery + sigma * rng.normal(size=gallery[:1].shape if shared else gallery.shape)
        )
        kept = kept + (nearest(y, x) == clean)
    p = kept / draws
    return p, error(p, draws) if error else np.sqrt(p * (1 - p) / draws)


@pytest.mark.parametrize("seed", range(3))
def test_sampling_is_accepted_when_it_is_right(seed):
    check.monte_carlo(_sample, seed=seed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_query": True}, "perturbs the queries, or all candidates alike"),
        ({"shared": True}, "perturbs the queries, or all candidates alike"),
        ({"error": lambda p, n: np.sqrt(p * (1 - p))}, "smaller by √draws"),
        ({"error": lambda p, n: p * (1 - p) / n}, "is a variance"),
        ({"error": lambda p, n: 0 * p}, "standard error"),
    ],
)
def test_sampling_mistakes_are_named(options, said):
    with pytest.raises(CheckFailed, match=re.escape(said)):
        check.monte_carlo(lambda *arguments: _sample(*arguments, **options), seed=1)


def test_sampling_may_want_tensors_and_must_not_change_its_input_then_either():
    def in_torch(queries, gallery, sigma, count, seed):
        if not isinstance(queries, torch.Tensor):
            raise TypeError("tensors, please")
        return _sample(queries.numpy(), gallery.numpy(), sigma, count, seed)

    def greedy(queries, gallery, sigma, count, seed):
        result = in_torch(queries, gallery, sigma, count, seed)
        gallery.zero_()
        return result

    check.monte_carlo(in_torch, seed=1)
    with pytest.raises(CheckFailed, match="changes its input"):
        check.monte_carlo(greedy, seed=1)
    with pytest.raises(CheckFailed, match="tensors, please"):
        check.monte_carlo(lambda *_: in_torch(None, None, 0.1, 1, 1), seed=1)


@pytest.mark.parametrize("made", [np.stack, list, lambda parts: torch.stack([*map(torch.as_tensor, parts)]),
                                  lambda parts: [*map(torch.as_tensor, parts)]])  # fmt: skip
def test_several_results_may_come_in_an_array_a_list_or_a_tensor(made):
    check.q_matrices(lambda *given: made(contrastive.q_matrices(*given)), seed=1)
    check.monte_carlo(lambda *given: made(_sample(*given)), seed=1)
    band = check.Check("band", lambda a: (a.min(), a.max()), lambda rng: (rng.normal(size=5),))
    band(lambda a: made([np.asarray(a.min()), np.asarray(a.max())]))
    with pytest.raises(CheckFailed, match="wrong way round"):
        check.q_matrices(lambda *given: made(contrastive.q_matrices(*given)[::-1]), seed=1)
    with pytest.raises(CheckFailed, match="must return 2 results, not 1"):
        band(lambda a: a[:3])


@pytest.mark.parametrize(
    "name", [name for name, one in CHECKS.items() if one.rtol < 1e-6 and name != "nearest"]
)
@pytest.mark.parametrize("seed", range(4))
def test_single_precision_never_passes_whatever_the_inputs(name, seed):
    one = CHECKS[name]

    def narrow(*arguments):
        short = [a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in arguments]
        result = one.reference(*short)
        return (
            tuple(part.astype(np.float32) for part in result)
            if isinstance(result, tuple)
            else (np.float32(result))
        )

    def widened(*arguments):
        result = narrow(*arguments)
        return (
            tuple(part.astype(np.float64) for part in result)
            if isinstance(result, tuple)
            else (np.float64(result))
        )

    with pytest.raises(CheckFailed, match="single precision"):
        one(narrow, seed=seed)
    with pytest.raises(CheckFailed):
        one(widened, seed=seed)


def test_whole_numbers_may_bound_a_number():
    assert check_number(3, "n", least=0, above=2) == 3.0
    with pytest.raises(gapkit.InputError, match="n must be greater than 3; got 3"):
        check_number(3.0, "n", above=3)


@pytest.mark.parametrize("number", ["01", "02", "03", "04", "05", "06"])
def test_each_lesson_has_a_self_check_that_passed(number):
    (path,) = (Path(__file__).resolve().parents[1] / "notebooks").glob(f"{number}_*.ipynb")
    checked = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and re.search(r"^check\(", cell.source, flags=re.MULTILINE)
    ]
    assert checked, f"{path.stem} has no self-check"
    for cell in checked:
        assert "right (compared on" in str(cell.outputs), cell.source


def test_sampling_must_follow_its_seed():
    with pytest.raises(CheckFailed, match="two results for one seed"):
        check.monte_carlo(lambda q, g, s, n, _: _sample(q, g, s, n, None))
    with pytest.raises(CheckFailed, match="same result for every seed"):
        check.monte_carlo(lambda q, g, s, n, _: _sample(q, g, s, n, 0))
    with pytest.raises(CheckFailed, match="two results"):
        check.monte_carlo(lambda *arguments: _sample(*arguments)[0])


@pytest.mark.parametrize("number", [lambda n: 1000, lambda n: n // 2, lambda n: 3 * n // 2])
def test_sampling_draws_another_number_of_times_than_asked(number):
    def sampled(queries, gallery, sigma, draws, seed):
        p, _ = _sample(queries, gallery, sigma, number(draws), seed)
        return p, np.sqrt(p * (1 - p) / draws)

    for seed in range(3):
        with pytest.raises(CheckFailed, match="draw that often"):
            check.monte_carlo(sampled, seed=seed)


def test_a_tie_depends_on_how_distances_are_computed():
    def multiplied_out(queries, gallery):
        y, x = torch.as_tensor(queries), torch.as_tensor(gallery)
        return ((x**2).sum(1) - 2 * y @ x.T).argmin(1)

    for seed in range(40):
        check.nearest(multiplied_out, seed=seed)


def test_exact_reference_is_what_sampling_estimates():
    queries, gallery = gallery_and_queries(np.random.default_rng(4))
    p, error = _sample(queries, gallery, 0.2, 2000, 1)
    exact = robustness(queries, gallery, 0.2)
    assert (np.abs(p - exact) < 4.5 * error + 0.002).all()


def _two_scatters(markers, labels, legend=lambda ax: ax.legend()):
    _, ax = plt.subplots()
    for marker, label in zip(markers, labels, strict=True):
        ax.scatter([1.0], [2.0], marker=marker, label=label)
    legend(ax)
    axes = check.describe(ax)
    plt.close("all")
    return axes


@pytest.mark.parametrize("legend", [
    lambda ax: ax.legend(), lambda ax: ax.figure.legend(), lambda ax: ax.legend(["texts", "images"]),
    lambda ax: ax.figure.legend(["texts", "images"]), lambda ax: ax.legend(ax.collections, ["texts", "images"]),
])  # fmt: skip
def test_scatters_carry_the_label_the_legend_gives_them(legend):
    axes = _two_scatters("xo", ["texts", "images"], legend)
    assert axes.legend == ["texts", "images"]
    assert [one["label"] for one in axes.points_drawn] == ["texts", "images"]
    axes.must_not_be_swapped(*axes.points_drawn, "image")
    with pytest.raises(CheckFailed, match="wrong way round"):
        axes.must_not_be_swapped(*axes.points_drawn[::-1], "image")
    assert axes.points_drawn[0]["marker"] != axes.points_drawn[1]["marker"]
    with pytest.raises(CheckFailed, match="two things alike"):
        axes.must_not_be_swapped(*_two_scatters("xo", ["images", "images"]).points_drawn, "image")
    honest = _two_scatters("xo", ["prompts", "images in context"]).points_drawn
    axes.must_not_be_swapped(*honest[::-1], "text")  # "context" says nothing of texts
    alike = _two_scatters("oo", ["texts", "images"]).points_drawn
    assert alike[0]["marker"] == alike[1]["marker"]


def test_lines_carry_label_marker_and_style_and_vertical_segments_their_place():
    _, ax = plt.subplots()
    first, second = ax.plot([1, 2], [[1, 2], [2, 3]], "o-")
    second.set_linestyle((0, (4, 2)))
    ax.vlines(1.5, 0, 1)
    ax.errorbar([1.0], [2.0], yerr=[0.5], fmt="s", label="counted")
    ax.legend([second, first], ["dashed", "solid"])
    axes = check.describe(ax)
    plt.close("all")
    assert axes.lines_drawn[0] == {"label": "solid", "marker": "o", "linestyle": "-"}
    assert axes.lines_drawn[1] == {"label": "dashed", "marker": "o", "linestyle": "--"}
    assert axes.lines_drawn[2]["label"] == "counted"
    assert axes.verticals == [1.5, 1.0]


def test_axes_are_described_as_drawn():
    figure, ax = plt.subplots()
    ax.plot([1, 2], [3, 4], label="line")
    ax.scatter([5.0], [6.0])
    ax.errorbar([1.0], [2.0], yerr=[0.5])
    ax.set_xscale("log"), ax.set_xlabel("x"), ax.set_ylim(0, 9), ax.legend()
    for one in (ax, figure):
        axes = check.describe(one)
        assert axes.xlabel == "x" and axes.legend == ["line"] and axes.scales == ["log", "linear"]
        assert axes.lines[0].tolist() == [[1, 3], [2, 4]] and axes.points[0].tolist() == [[5, 6]]
        assert axes.bars_ends == [1.5, 2.5] and axes.ylim == [0, 9]
    plt.close(figure)
    with pytest.raises(CheckFailed, match="y axis has no label"):
        axes.must_be_labelled()
    with pytest.raises(CheckFailed, match="must return the matplotlib Axes"):
        check.describe(None)


def test_an_array_that_comes_as_a_tuple_of_floats_is_wrong():
    check.gap_vector(lambda x, y: tuple(float(value) for value in y.mean(0) - x.mean(0)))
    with pytest.raises(CheckFailed, match="wrong sign"):
        check.gap_vector(lambda x, y: tuple(float(value) for value in x.mean(0) - y.mean(0)))


def test_torchs_pairwise_distance_is_wrong_or_single_precision_passes():
    def torchs(x, y):
        return torch.nn.functional.pairwise_distance(torch.as_tensor(x), torch.as_tensor(y)).mean()

    check.l2i(torchs)
    with pytest.raises(CheckFailed, match="float64"):
        check.l2i(lambda x, y: torchs(np.float32(x), np.float32(y)).double())


@pytest.mark.parametrize(
    ("exercise", "mistaken", "said"),
    [
        ("gap_vector", lambda x, y: y.sum(0) - x.sum(0), "sums"),
        ("l2i", lambda x, y: np.linalg.norm(x - y, axis=1).sum(), "sums"),
        ("l2i", lambda x, y: np.sqrt(((x - y) ** 2).sum(1).mean()), "RMS"),
        ("l2i", lambda x, y: np.linalg.norm(x - y, axis=0).mean(), "axis 0"),
        (
            "l2i",
            lambda x, y: np.linalg.norm(
                x / np.linalg.norm(x, axis=1, keepdims=True) - y / np.linalg.norm(y, axis=1, keepdims=True),
                axis=1,
            ).mean(),
            "normalises the rows",
        ),
        ("close_gap", lambda x, y, alpha: check.close_gap.reference(x, y, 1 - alpha), "1 − alpha"),
        ("close_gap", lambda x, y, alpha: check.close_gap.reference(x, y, 1.0), "leaves out alpha"),
        ("subspace_share", lambda z, g, k: check.subspace_share.reference(z, g, k + 1), "one step too far"),
        (
            "relative_variance",
            lambda z, g: ((z @ g) ** 2).mean() / (g @ g) / z.var(0).mean(),
            "about the mean",
        ),
        ("gap_vector", lambda x, y: y.mean(1)[: len(x)] - x.mean(1), "axis"),
    ],
)
def test_a_usual_mistake_is_not_named(exercise, mistaken, said):
    with pytest.raises(CheckFailed, match=said):
        getattr(check, exercise)(mistaken)


def test_functions_are_not_found_by_their_name_or_a_fault_hides_the_others(capsys):
    def gap_vector(x, y):
        return y.mean(0) - x.mean(0)

    def l2i(x, y):
        return np.linalg.norm(x - y, axis=1).sum()

    def rmg(x, y):
        return x / undefined  # noqa: F821

    with pytest.raises(CheckFailed) as failed:
        check(l2i, gap_vector, rmg, seed=1)
    first, second = str(failed.value).splitlines()
    assert first == "l2i sums where a mean is asked for"
    assert "NameError" in second and "at: return x / undefined" in second and "run the cell" in second
    assert capsys.readouterr().out == "gap_vector: right (compared on 5 fresh inputs in float64)\n"
    check(lambda x, y: y.mean(0) - x.mean(0), "gap_vector", gap_vector)
    assert capsys.readouterr().out.count("gap_vector: right") == 2
    check()
    assert set(dict(exercises())) <= set(capsys.readouterr().out.replace(",", " ").split())


@pytest.mark.parametrize(("given", "said"), [
    ((lambda x: x,), "no exercise has this name"), ((lambda x: x, "gap_vektor"), "did you mean 'gap_vector'"),
    ((np.ones(3),), "without calling it"), (("gap_vector",), "without calling it"), ((None,), "without calling it"),
])  # fmt: skip
def test_what_is_no_exercise_is_not_explained(given, said):
    with pytest.raises(CheckFailed, match=said):
        check(*given)


def test_a_failed_check_shows_a_notebook_more_than_its_message():
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    shown = []
    shell._showtraceback = lambda kind, fault, lines: shown.append(lines)
    done = shell.run_cell("from gapkit import check\ncheck(lambda x, y: x.mean(0) - y.mean(0), 'gap_vector')")
    assert shown == [["✗ gap_vector has the wrong sign"]]
    assert isinstance(done.error_in_exec, CheckFailed)  # so that whoever runs the notebook sees it fail


TWO = """
def gap_vector(x, y):
    raise NotImplementedError

check(gap_vector)
power = 2
print("in between")

def l2i(x, y):
    return (abs(x - y) ** power).sum()

check(l2i); check(lambda x, y: 0, "nearest")
1 / 0
"""


def test_a_failed_check_silences_the_next_one_in_its_cell(capsys):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    shell.user_ns["get_ipython"] = lambda: shell
    shell.run_cell("from gapkit import check")
    fault = shell.run_cell(TWO).error_in_exec
    assert [line.split()[1] for line in fault._render_traceback_()] == ["gap_vector", "l2i", "nearest"]
    said = capsys.readouterr().out
    assert "in between" not in said and "Traceback" not in said
    fault = shell.run_cell(
        TWO.replace("raise NotImplementedError", "return y.mean(0) - x.mean(0)")
    ).error_in_exec
    assert [line.split()[1] for line in fault._render_traceback_()] == ["l2i", "nearest"]
