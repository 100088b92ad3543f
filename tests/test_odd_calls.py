"""Odd calls of floor 1: a result in range or one line of `InputError`, whatever stands in an argument's place."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

import gapkit
from gapkit import closing, contrastive, geometry, robustness, tasks
from gapkit._arrays import as_index, as_tensor, normalise_rows
from gapkit._options import check_whole
from gapkit.errors import InputError
from tests import oddities


def test_every_public_name_is_tried():
    named = {name.partition(",")[0] for name in oddities.calls()}
    assert set(oddities.public_names()) - named <= oddities.NOTHING_TO_CALL


def test_a_sound_call_fails_where_annotations_are_checked():
    """Odd values are tried without that checker, which users have not: it refuses them before the code does."""
    for name, call in oddities.calls().items():
        if name == "closing.load_closer":  # has no sound file here
            continue
        with warnings.catch_warnings(
            action="ignore"
        ):  # such as that nothing is orthogonal to six rows of four
            result = call.function(**call.arguments)
        for array in oddities.numbers_in(result):
            known = array[~np.isnan(array)]
            assert call.nan or known.size == array.size, name
            assert ((known >= call.low - 1e-9) & (known <= call.high + 1e-9)).all(), name


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_odd_calls_end_in_no_result_and_not_in_one_line():
    """As users have it: in a process of its own, with a limit of memory, and without jaxtyping's hook."""
    command = [sys.executable, "-m", "tests.oddities"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2900)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr[-2000:]


def test_the_fuzz_notices_a_traceback_a_value_out_of_range_and_a_message_of_two_lines():
    def broken(value):
        if value is None:
            raise TypeError("no")
        return value

    call = oddities.Call(broken, {"value": 0.5}, {"value": oddities.numbers}, 0, 1)
    assert "TypeError" in oddities.fault_of(call, "value", None)
    assert "out of range" in oddities.fault_of(call, "value", np.array([2.0]))
    assert oddities.fault_of(call, "value", float("nan")) == "NaN"
    assert oddities.fault_of(call, "value", 0.5) == ""


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", ">i4", ">u8"])
def test_indices_of_every_whole_dtype_are_the_same_indices(kind):
    answers = np.array([0, 1, 2, 1], kind)
    assert tasks.accuracy(answers, [0, 1, 1, 1]) == 0.75
    assert tasks.accuracy(answers[::-1], [1, 2, 1, 0]) == 1.0
    answers.flags.writeable = False
    assert tasks.accuracy(answers, answers) == 1.0


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64", "int8"])
def test_torch_indices_too(dtype):
    assert tasks.accuracy(torch.tensor([0, 1]).to(getattr(torch, dtype)), [0, 1]) == 1.0


@pytest.mark.parametrize(
    "value", [np.array([2**63], "u8"), [2**63], torch.tensor(np.array([2**63], "u8")), [2**64]]
)
def test_an_index_beyond_63_bits_is_refused_and_never_wraps(value):
    with pytest.raises(InputError, match="labels must"):
        as_index(value, "labels", below=2**63 - 1)


def test_masked_arrays_are_refused_wherever_they_hide():
    rows = np.ones((2, 3))
    for masked in (
        np.ma.masked_array(rows, mask=rows > 0),
        [np.ma.masked_array(rows[0])],
        np.ma.masked_array(rows),
    ):
        with pytest.raises(InputError, match="must not be masked"):
            geometry.gap_vector(masked, rows)
    with pytest.raises(InputError, match="must not be masked"):
        tasks.accuracy(np.ma.masked_array([0, 1], mask=[0, 1]), [0, 1])


def test_half_precision_never_overflows_in_silence():
    texts, images = np.full((2, 2), 6e4, "f2"), np.full((2, 2), -6e4, "f2")
    texts[0, 0] = 5e4
    with pytest.raises(InputError, match="float16"):
        closing.MeanShift(alpha=-2.0).fit(texts, images).transform(texts)
    rows = torch.tensor([[3.0, 4.0]])
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16):
        assert torch.isfinite(normalise_rows(rows.to(dtype)).float()).all()


def test_quantised_tensors_are_the_numbers_they_stand_for():
    numbers = torch.quantize_per_tensor(torch.tensor([[0.1, 0.2]]), 0.1, 0, torch.qint8)
    assert torch.allclose(as_tensor(numbers, "rows"), torch.tensor([[0.1, 0.2]], dtype=torch.float64))


@pytest.mark.parametrize("measure", [geometry.effective_rank, geometry.relative_spectrum])
@pytest.mark.parametrize("row", [[0.0, 0.0], [0.1, 0.7], [1e-30, 3.0]])
def test_equal_rows_have_no_effective_rank(measure, row):
    with pytest.raises(InputError, match="rows that differ"):
        measure([row] * 7)


@pytest.mark.parametrize("huge", [10**10, 10**12, 2**63, 10**400])
@pytest.mark.parametrize(
    "ask",
    [
        lambda n: gapkit.robustness(
            [[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], 0.1, method="monte-carlo", draws=n
        ),
        lambda n: geometry.draw_weights(5, resamples=n),
        lambda n: geometry.draw_weights(n),
        lambda n: geometry.Resamples(5, draws=n),
        lambda n: geometry.relative_variance_band([[1.0, 0.0], [0.0, 1.0]], directions=n),
        lambda n: contrastive.starting_pairs(n=n),
        lambda n: contrastive.simulate(steps=n),
        lambda n: robustness.sweep_boundary(1.0, 0.1, draws=n),
        lambda n: tasks.cut_galleries(n, 10),
        lambda n: tasks.cut_galleries(100, 10, partitions=n),
        lambda n: tasks.prompt_ensemble([[1.0, 0.0]], [min(n, 2**62)]),
    ],
)
def test_counts_that_no_machine_can_hold_are_refused_before_the_work(ask, huge):
    with pytest.raises(InputError):
        ask(huge)


@pytest.mark.parametrize("name", ["a\nb", "a\r\x1b[31mb\x00", "x" * 5000, "a\u2028b", "\udc80"])
def test_messages_are_one_line_whatever_they_quote(name):
    message = str(InputError(f"no file {name}"))
    assert message.isprintable()
    assert len(message) < 400
    with pytest.raises(InputError) as caught:
        check_whole(name, name)
    assert str(caught.value).isprintable()
