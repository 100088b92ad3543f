"""Many files are one matrix: however they are cut, in the order of their numbers, or not at all."""

import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from gapkit.cli.measure import measure as command
from gapkit.embeddings import EmbeddingSet, streaming
from gapkit.embeddings.streaming import measure_files
from gapkit.errors import InputError
from gapkit.geometry import measure
from gapkit.geometry.streaming import add_in_a_tree, measure_stream, pair_sums
from tests.waiting import PATIENCE

N, D = 210, 6


def pairs(n=N, d=D, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) + 0.5
    y = x + rng.standard_normal((n, d)) - 1
    return x.astype(dtype), y.astype(dtype)


def write(folder, name, matrix, cuts=()):
    """The matrix in numbered files, and the pattern that finds them."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(np.split(matrix, sorted(cuts))):
        np.save(folder / name / f"{name}_{number}.npy", part)
    return [str(folder / name / "*.npy")]


@pytest.fixture
def files(tmp_path):
    x, y = pairs()
    return {
        "images": write(tmp_path, "img_emb", y, (70, 140)),
        "texts": write(tmp_path, "text_emb", x, (100, 200)),
    }


CUTS = st.sets(st.integers(1, N - 1), max_size=14)


@settings(max_examples=8, deadline=None)
@given(CUTS, CUTS, st.sampled_from(["f8", "f4", "f2"]))
def test_however_the_files_are_cut_they_are_one_matrix(tmp_path_factory, cuts, others, dtype):
    x, y = pairs(dtype=dtype)
    folder = tmp_path_factory.mktemp("cut")
    found = measure_files(write(folder, "i", y, cuts), write(folder, "t", x, others), covariances=True).values
    whole = measure_files(write(folder, "wi", y), write(folder, "wt", x), covariances=True).values
    assert found == pytest.approx(whole, rel=1e-10)
    expected = measure(x, y)
    rel = 1e-10 if dtype == "f8" else 3e-6
    assert found == pytest.approx({name: expected[name] for name in found}, rel=rel, abs=rel)


def test_blocks_and_parts_change_nothing_but_rounding(files, monkeypatch):
    whole = measure_files(**files).values
    monkeypatch.setattr(streaming, "PARTS", 3)
    monkeypatch.setattr("gapkit.geometry.streaming.BLOCK_ROWS", 17)
    monkeypatch.setattr("gapkit.geometry.streaming.CACHED", 5 * D)
    assert measure_files(**files).values == pytest.approx(whole, rel=1e-10)


def test_several_processes_give_the_same_bits(files):
    options = {"covariances": True, "intervals": True}
    assert measure_files(**files, **options, processes=2) == measure_files(**files, **options)


@pytest.mark.slow
def test_a_cluster_gives_the_same_bits(files):
    pytest.importorskip("distributed")
    assert measure_files(**files, cluster="local:2") == measure_files(**files)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_sums_are_added_in_the_same_pairs_in_whichever_order_they_come(count, random):
    x, y = (torch.from_numpy(z) for z in pairs(n=2 * count, dtype="f4"))
    parts = [(i, pair_sums(x[2 * i : 2 * i + 2], y[2 * i : 2 * i + 2])) for i in range(count)]
    ordered = add_in_a_tree(parts, count)
    random.shuffle(parts)
    shuffled = add_in_a_tree(parts, count)
    assert ordered.count == shuffled.count == 2 * count
    np.testing.assert_array_equal(ordered.totals, shuffled.totals)
    np.testing.assert_array_equal(ordered.numbers, shuffled.numbers)


def test_files_are_taken_by_their_numbers_and_other_files_ignored(tmp_path):
    x, y = pairs()
    cuts = range(10, N, 17)  # 12 of them: 10 comes after 9
    images, texts = write(tmp_path, "img_emb", y, cuts), write(tmp_path, "text_emb", x, (100,))
    for name in ("metadata_0.parquet", "._img_emb_0.npy"):
        (tmp_path / "img_emb" / name).write_bytes(b"x")
    expected = pytest.approx(measure_stream(x, y).values, rel=1e-10)
    assert measure_files(images, texts).values == expected
    folder = str(tmp_path / "img_emb")
    assert measure_files([folder], texts).values == expected
    listed = [str(tmp_path / "img_emb" / f"img_emb_{k}.npy") for k in range(13)]
    assert measure_files(listed, texts).values == expected


def test_safetensors_are_mapped_too(tmp_path):
    x, y = pairs(dtype="f2")
    save_file({"image_embeddings": y, "text_embeddings": x}, tmp_path / "both.safetensors")
    both = [str(tmp_path / "both.safetensors")]
    assert measure_files(both, both).values == pytest.approx(measure_stream(x, y).values, rel=1e-6)


def test_no_more_than_a_block_is_read_at_once(tmp_path, monkeypatch):
    x, y = pairs(n=40_000, d=64, dtype="f4")
    images, texts = write(tmp_path, "i", y, (11_000, 25_000)), write(tmp_path, "t", x, (30_000,))
    measure_files(images, texts, covariances=True)
    del x, y
    read, get = [], streaming._Range.pieces

    def counted(self, rows):
        pieces = get(self, rows)
        read.append(sum(map(len, pieces)))
        return pieces

    monkeypatch.setattr(streaming._Range, "pieces", counted)
    monkeypatch.setattr(streaming, "PARTS", 2)
    monkeypatch.setattr("gapkit.geometry.streaming.BLOCK_ROWS", 4096)
    tracemalloc.start()
    try:
        measure_files(images, texts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(read) <= 4096
    assert peak < 4_000_000  # the files have 20 MB


def test_threads_and_their_number_change_a_bit(tmp_path):
    x, y = pairs(n=3000, d=64, dtype="f4")
    images, texts = write(tmp_path, "i", y, (1100,)), write(tmp_path, "t", x, (2500,))
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(measure_files(images, texts, intervals=True).values)
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def interrupted(arriving, count):
    next(arriving)
    raise KeyboardInterrupt


@pytest.mark.parametrize("fault", [InputError, KeyboardInterrupt])
def test_after_a_fault_every_other_part_is_read_all_the_same(tmp_path, monkeypatch, fault):
    x, y = pairs(n=3000, d=8, dtype="f4")
    images, texts = write(tmp_path, "i", y, (1100,)), write(tmp_path, "t", x, (2500,))
    given_up, begun, before = threading.Event(), [], torch.get_num_threads()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, *arguments, **options):
            super().shutdown(wait=False, cancel_futures=options.get("cancel_futures", False))
            given_up.set()
            super().shutdown(*arguments, **options)

    def first_fails(*ranges, **options):
        begun.append(ranges)
        if ranges[0].first == 0:
            if fault is InputError:
                raise InputError("not this one")
        else:
            given_up.wait(PATIENCE)
        return pair_sums(*ranges, **options)

    monkeypatch.setattr(streaming, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(streaming, "pair_sums", first_fails)
    if fault is KeyboardInterrupt:
        monkeypatch.setattr(streaming, "add_in_a_tree", interrupted)
    torch.set_num_threads(2)
    try:
        with pytest.raises(fault) as raised:  # which keeps all frames alive
            measure_files(images, texts)
    finally:
        torch.set_num_threads(before)
    assert raised and given_up.is_set()
    assert len(begun) <= 3  # the first, and one a thread that is in the middle of it


def test_more_files_than_may_be_open_are_measured(tmp_path):
    resource = pytest.importorskip("resource")
    x, y = pairs()
    images, texts = write(tmp_path, "i", y, range(1, N)), write(tmp_path, "t", x, (90,))
    expected = measure_files(images, texts).values
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "one").open("w") as file:
        now = file.fileno()  # they are given out from the lowest
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, now + 80), hard))
    try:
        found = measure_files(images, texts).values
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == expected


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_files_of_both_kinds_of_half_precision_are_summed_in_one_that_holds_both(tmp_path, scale):
    x, y = pairs()
    halves = torch.from_numpy(y[:100]).half(), torch.from_numpy(y[100:] * scale).bfloat16()
    for number, half in enumerate(halves):
        save_tensors({"emb": half}, tmp_path / f"i_{number}.safetensors")
    np.save(tmp_path / "whole.npy", np.concatenate([half.double().numpy() for half in halves]))
    texts = write(tmp_path, "t", x)
    found = measure_files([str(tmp_path / "i_*.safetensors")], texts, covariances=True).values
    expected = measure_files([str(tmp_path / "whole.npy")], texts, covariances=True).values
    assert {n: float(v) for n, v in found.items()} == pytest.approx(
        {n: float(v) for n, v in expected.items()}, rel=1e-5
    )


@pytest.mark.parametrize("first", [True, False])
def test_of_two_numbers_in_a_name_the_one_that_counts_is_the_order(tmp_path, first):
    x, y = pairs()
    for number, (stamp, rows) in enumerate(zip((1733, 1700, 1720), np.array_split(y, 3), strict=True)):
        np.save(tmp_path / (f"{stamp}_{number}.npy" if first else f"{number}_{stamp}.npy"), rows)
    texts = write(tmp_path, "t", x)
    found = measure_files([str(tmp_path / "*.npy")], texts).values
    np.save(tmp_path / "whole", y)
    assert found == measure_files([str(tmp_path / "whole.npy")], texts).values


def test_two_numbers_that_count_in_other_orders_are_asked_about(tmp_path):
    x, y = pairs()
    for name, rows in zip(("20240102_0", "20240101_1"), np.array_split(y, 2), strict=True):
        np.save(tmp_path / f"{name}.npy", rows)
    with pytest.raises(InputError, match=r"is the order\? Name each with --images"):
        measure_files([str(tmp_path / "*.npy")], write(tmp_path, "t", x))


@pytest.mark.parametrize("kind", ["labels", "captions"])
def test_a_file_of_gapkit_whose_rows_are_no_pairs_is_refused(tmp_path, kind):
    x, y = pairs()
    turned = np.arange(len(x))[::-1]
    how = ("zero-shot", turned) if kind == "labels" else ("pairs",)
    options = {} if kind == "labels" else {"image_of_text": turned}
    path = str(EmbeddingSet(y, x, *how, **options).save(tmp_path / "a.safetensors"))
    with pytest.raises(InputError, match="gapkit measure reads it"):
        measure_files([path], [path])


@pytest.mark.parametrize("kind", ["g", "U20", "?", "c16", "M8[D]"])
def test_arrays_that_torch_does_not_know_are_one_line(tmp_path, kind):
    x, y = pairs()
    np.save(tmp_path / "y.npy", (y * 100).astype(int).astype(kind))
    with pytest.raises(InputError, match="must hold a matrix"):
        measure_files([str(tmp_path / "y.npy")], write(tmp_path, "t", x))


def edited(path, change):
    matrix = np.load(path)
    np.save(path, change(matrix))


def spoil(matrix):
    matrix[17, 2] = np.nan
    return matrix


def zero(matrix):
    matrix[17] = 0
    return matrix


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-8])


SPOILED = {
    "too few rows": (lambda p: edited(p, lambda m: m[:-1]), r"matched row by row, two at least; got 209 rows in 3 files and 210 in 3"),
    "another width": (lambda p: edited(p, lambda m: m[:, :-1]), r"img_emb_1.npy has 5 columns, .*img_emb_0.npy has 6"),
    "one column": (lambda p: edited(p, lambda m: m[:, 0]), r"img_emb_1.npy must hold a matrix \(n, d\) of float16.*; got float64 of shape \(70,\)"),
    "whole numbers": (lambda p: edited(p, lambda m: m.astype(int)), r"must hold a matrix \(n, d\) of float16, float32 or float64; got int64"),
    "other byte order": (lambda p: edited(p, lambda m: m.astype(">f8")), r"machine's order of bytes"),
    "column by column": (lambda p: edited(p, np.asfortranarray), r"must hold one array, by rows"),
    "objects": (lambda p: edited(p, lambda m: m.astype(object)), r"img_emb_1.npy holds pickled objects"),
    "NaN": (lambda p: edited(p, spoil), r"img_emb_1.npy, row 17, must be finite"),
    "a zero row": (lambda p: edited(p, zero), r"img_emb_1.npy, row 17, must not be zero"),
    "cut short": (cut_short, r"cannot read .*img_emb_1.npy"),
    "nothing": (lambda p: p.write_bytes(b""), r"cannot read .*img_emb_1.npy"),
    "missing": (lambda p: p.unlink(), r"number 1 is missing between 0 and 2"),
    "twice": (lambda p: np.save(p.with_name("img_emb_01.npy"), np.load(p)), r"two files of the same number"),
    "another kind": (lambda p: np.save(p.with_name("text_emb_0.npy"), np.load(p)), r"several kinds, img_emb_#.npy, text_emb_#.npy"),
}  # fmt: skip


def test_one_file_of_each_side_in_a_folder_is_not_one_side(tmp_path):
    for name in ("img_emb_0", "text_emb_0"):
        np.save(tmp_path / f"{name}.npy", np.ones((4, 2)))
    with pytest.raises(InputError, match="several kinds"):
        measure_files([str(tmp_path)], [str(tmp_path)])


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_few_pairs_have_intervals_or_none(tmp_path, n):
    x, y = pairs(n=n)
    values, _ = measure_files(write(tmp_path, "i", y), write(tmp_path, "t", x), intervals=True)
    assert values["l2i"].value == pytest.approx(measure(x, y)["l2i"])
    assert values["l2i"].low < values["l2i"].high


@pytest.mark.parametrize("fault", SPOILED)
def test_what_is_wrong_with_a_file_is_one_line(files, tmp_path, fault):
    spoil, message = SPOILED[fault]
    spoil(tmp_path / "img_emb" / "img_emb_1.npy")
    with pytest.raises(InputError, match=message):
        measure_files(**files)


@pytest.mark.parametrize(
    ("images", "texts", "message"),
    [
        ("no/*.npy", "text_emb", r"--images .*no/\*.npy: no .npy or .safetensors file is there"),
        (".", "text_emb", "no .npy or .safetensors file is there"),
        ("img_emb", "img_emb", "img_emb_0.npy.* cannot be on both sides"),
        ("wide", "text_emb", "images have 7, texts 6"),
        ("img_emb", "later", "begin with one number; img_emb_0.npy and later_3.npy come first"),
    ],
)
def test_sides_that_do_not_fit_are_one_line(files, tmp_path, images, texts, message):
    write(tmp_path, "wide", np.ones((N, 7)))
    write(tmp_path, "later", np.ones((N, D)), (1, 2, 3, 4))
    for number in range(3):
        (tmp_path / "later" / f"later_{number}.npy").unlink()
    np.save(tmp_path / "later" / "later_3.npy", np.ones((N - 206, D)))
    np.save(tmp_path / "later" / "later_4.npy", np.ones((206, D)))
    with pytest.raises(InputError, match=message):
        measure_files([str(tmp_path / images)], [str(tmp_path / texts)])


def test_a_file_named_twice_is_refused(files):
    with pytest.raises(InputError, match="a file is named twice"):
        measure_files(files["images"] * 2, files["texts"])


def test_a_file_that_changes_meanwhile_is_refused(files, tmp_path, monkeypatch):
    def change(*ranges, **options):
        edited(tmp_path / "text_emb" / "text_emb_0.npy", lambda m: np.concatenate([m, m]))
        return pair_sums(*ranges, **options)

    monkeypatch.setattr(streaming, "pair_sums", change)
    with pytest.raises(InputError, match=r"text_emb_0.npy has changed meanwhile"):
        measure_files(**files)


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_the_command_says_what_it_read_and_what_it_left_out(files):
    arguments = ["--images", files["images"][0], "--texts", files["texts"][0]]
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    for words in ("images: 3 files, 210 × 6, float64", "(L2M)", "have lengths of", "left out: right answers"):
        assert words in done.output
    content = json.loads(run(*arguments, "--json", "--intervals").stdout)
    x, y = pairs()
    expected = measure_stream(x, y).values
    value, low, high = content["l2m"]
    assert value == pytest.approx(expected["l2m"])
    assert low < value < high
    assert content["n_gallery"] == N
    assert any("covariances" in note for note in content["notes"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.npy", "--images", "b"], r"FILE \(a pattern needs quotes\) does not go with --images"),
        (["--images", "b"], "takes one FILE, or --images and --texts"),
        (["--images", "b", "--texts", "c", "--sigma", "0.1"], "--sigma does not go with --images"),
        (["--images", "b", "--texts", "c", "--metric", "dot"], "--metric does not go with --images"),
        (["a", "--cluster", "local:2"], "--cluster is for --images and --texts"),
        (["a", "b"], "takes one FILE"),
        ([], "takes one FILE"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(arguments, message):
    fault = run(*arguments).exception
    assert isinstance(fault, InputError)
    with pytest.raises(InputError, match=message):
        raise fault
