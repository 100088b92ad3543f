"""Archives and parquet files as people have them: every common kind is read, and what is used or left out is said."""

import datetime

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from gapkit.cli.embeddings import import_files
from gapkit.embeddings import EmbeddingSet, import_embeddings
from gapkit.errors import InputError

N, D = 12, 6
RNG = np.random.default_rng(3)
Y, X = RNG.standard_normal((N, D)), RNG.standard_normal((N, D))
HALF = Y.astype(np.float16)
WHOLE = RNG.integers(-9, 9, (N, D))
FILES, CAPTIONS = [f"{i}.jpg" for i in range(N)], [f"photo {i}" for i in range(N)]


def lists(matrix, kind=None):
    return pyarrow.array(matrix.tolist(), kind)


def tensors(matrix, shape=(D,)):
    flat = pyarrow.array(matrix.reshape(-1))
    kind = pyarrow.fixed_shape_tensor(pyarrow.float64(), shape)
    return pyarrow.ExtensionArray.from_storage(kind, pyarrow.FixedSizeListArray.from_arrays(flat, D))


F16, F32, F64 = pyarrow.float16(), pyarrow.float32(), pyarrow.float64()
VECTORS = {
    "lists": (lists(Y), Y),
    "lists of float16": (pyarrow.array(list(HALF), pyarrow.list_(F16)), HALF),
    "lists of float32": (lists(Y, pyarrow.list_(F32)), Y.astype(np.float32)),
    "lists of whole numbers": (lists(WHOLE), WHOLE),
    "lists of bytes": (lists(np.abs(WHOLE), pyarrow.list_(pyarrow.uint8())), np.abs(WHOLE)),
    "large lists": (lists(Y, pyarrow.large_list(F64)), Y),
    "lists of one size": (lists(Y, pyarrow.list_(F64, D)), Y),
    "nested lists": (pyarrow.array([[row.tolist()] for row in Y]), Y),
    "nested lists of one size": (
        pyarrow.array([[row.tolist()] for row in Y], pyarrow.list_(pyarrow.list_(F64, D), 1)),
        Y,
    ),
    "fixed_shape_tensor": (tensors(Y), Y),
    "fixed_shape_tensor of one row": (tensors(Y, (1, D)), Y),
    "texts": (pyarrow.array([str(row.tolist()) for row in Y]), Y),
    "texts without commas": (pyarrow.array([" ".join(map(str, row)).join("[]") for row in Y.tolist()]), Y),
    "texts in a dictionary": (pyarrow.array([str(row.tolist()) for row in Y]).dictionary_encode(), Y),
}


@pytest.mark.parametrize("kind", VECTORS)
def test_columns_of_vectors_of_every_kind_are_read(tmp_path, kind):
    column, expected = VECTORS[kind]
    path = tmp_path / "a.parquet"
    beside = {
        "img_id": range(N),
        "score": Y[:, 0],
        "when": [datetime.datetime(2024, 1, 1)] * N,
        "path": FILES,
        "image": [b"\xff\xd8 an image"] * N,
    }
    pyarrow.parquet.write_table(pyarrow.table({**beside, "embedding": column}), path)
    entries = import_embeddings(path, path, normalise="no")
    assert np.array_equal(entries.images, expected)
    assert entries.image_names == tuple(FILES)
    assert "left out: img_id, score, when, image" in entries.metadata["columns"][0]


def test_one_parquet_with_both_sides_keeps_paths_as_names_of_images_and_captions_as_those_of_texts(tmp_path):
    path = tmp_path / "both.parquet"
    table = {"path": FILES, "caption": CAPTIONS, "image_embedding": lists(Y), "text_embedding": lists(X)}
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    pairs = import_embeddings(path)
    assert (pairs.image_names, pairs.text_names) == (tuple(FILES), tuple(CAPTIONS))
    assert np.array_equal(pairs.images, Y) and np.array_equal(pairs.texts, X)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_numbered_columns_of_both_sides_are_found_by_their_keys(tmp_path, ending):
    table = {"id": pyarrow.array(range(N)), "file": FILES, "caption": CAPTIONS}
    for j in range(D):
        table |= {f"v_{j}": Y[:, j], f"t_{j}": X[:, j]}
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.table(table), path)
    else:
        pyarrow.table(table).to_pandas().to_csv(path, index=False)
    if D < 8:
        table_with = {f"img_{j}": Y[:, j] for j in range(D)} | {f"txt_{j}": X[:, j] for j in range(D)}
        pyarrow.table({"file": FILES, "caption": CAPTIONS, **table_with}).to_pandas().to_csv(
            tmp_path / "b.csv", index=False
        )
    pairs = import_embeddings(tmp_path / "b.csv", normalise="no")
    assert np.array_equal(pairs.images, Y) and np.array_equal(pairs.texts, X)
    assert (pairs.image_names, pairs.text_names) == (tuple(FILES), tuple(CAPTIONS))
    swapped = import_embeddings(tmp_path / "b.csv", image_key="txt", text_key="img_", normalise="no")
    assert np.array_equal(swapped.images, X) and np.array_equal(swapped.texts, Y)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pyarrow.array([[1.0, 2.0], [1.0, None]] + [[1.0, 2.0]] * 10), "row 2, column embedding, number 2"),
        (pyarrow.array([[1.0, float("inf")]] * 12), "row 1, column embedding, number 2"),
        (pyarrow.array([[[1.0], [2.0]]] * 12), "holds several vectors"),
        (tensors(Y, (2, 3)), "holds several vectors"),
        (pyarrow.array(["[0.1, 0.2, 0.3]"] * 11 + ["[0.1, x]"]), "row 12, column embedding"),
        (pyarrow.array([b"\x00\x01"] * 12), "--columns"),
        (pyarrow.array([{"values": [0.1]}] * 12), "--columns"),
    ],
)
def test_vectors_that_are_none_are_refused_with_their_row(tmp_path, column, message):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"embedding": column}), path)
    with pytest.raises(InputError) as fault:
        import_embeddings(path, path)
    assert message in str(fault.value) and "\n" not in str(fault.value)


def test_a_missing_number_in_a_numbered_column_is_an_error_with_its_row(tmp_path):
    table = {f"d{j}": pyarrow.array([1.0, None if j == 2 else 2.0, 3.0]) for j in range(4)}
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 2, column d2"):
        import_embeddings(tmp_path / "a.parquet", tmp_path / "a.parquet")


@pytest.mark.parametrize("key", ["labels", "label_ids", "y", "targets"])
@pytest.mark.parametrize("column", [False, True])
def test_labels_and_names_inside_an_archive_are_taken(tmp_path, key, column):
    labels = np.arange(N) % 3
    inside = {
        key: labels[:, None] if column else labels.astype(float),
        "class_names": np.array(list("abc")),
        "paths": np.array(FILES),
    }
    np.savez(
        tmp_path / "a.npz", image_features=Y, text_features=X[:3], **inside, pickled=np.array([{}], object)
    )
    entries = import_embeddings(tmp_path / "a.npz")
    assert entries.task == "zero-shot" and entries.labels.tolist() == labels.tolist()
    assert entries.text_names == tuple("abc") and entries.image_names == tuple(FILES)
    (said,) = entries.metadata["columns"]
    assert f"labels from {key}" in said and "left out: pickled (pickled)" in said


def test_labels_that_could_be_two_things_are_asked_for(tmp_path):
    labels = np.arange(N) % 3
    np.savez(tmp_path / "a.npz", images=Y, texts=X, labels=labels)
    with pytest.raises(InputError, match="--task zero-shot or --task pairs"):
        import_embeddings(tmp_path / "a.npz")
    assert import_embeddings(tmp_path / "a.npz", task="pairs").task == "pairs"
    assert import_embeddings(tmp_path / "a.npz", task="zero-shot").labels.tolist() == labels.tolist()
    np.savez(tmp_path / "b.npz", images=Y, texts=X[:3], labels=labels, targets=labels[::-1])
    with pytest.raises(InputError, match=r"labels, targets; bring one with --labels"):
        import_embeddings(tmp_path / "b.npz")


def test_archives_with_raw_images_scores_and_ids_beside_give_the_embeddings(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        images=np.zeros((N, 3, 8, 8), np.uint8),
        image_embeddings=Y,
        text_embeddings=X,
        scale=100.0,
        ids=range(N),
    )
    pairs = import_embeddings(tmp_path / "a.npz")
    assert np.array_equal(pairs.images, Y) and np.array_equal(pairs.texts, X)
    assert "left out: images, scale, ids" in pairs.metadata["columns"][0]


@pytest.mark.parametrize(
    "members", [{"x": X, "y": Y}, {"arr_0": Y, "arr_1": X}, {"visual.proj": Y, "text_projection": X}]
)
def test_matrices_that_are_not_called_images_and_texts_are_asked_for(tmp_path, members):
    np.savez(tmp_path / "a.npz", **members)
    with pytest.raises(InputError, match="which matrix .* --image-key NAME"):
        import_embeddings(tmp_path / "a.npz")


def test_rows_in_another_order_are_matched_by_the_files_they_are_about(tmp_path):
    order = RNG.permutation(N)
    np.savez(tmp_path / "a.npz", features=Y, paths=np.array(FILES))
    np.savez(tmp_path / "b.npz", features=X[order], paths=np.array(FILES)[order])
    texts, images = import_embeddings(tmp_path / "a.npz", tmp_path / "b.npz", normalise="no").matched()
    assert np.array_equal(texts, X[order]) and np.array_equal(images, Y[order])


def test_two_matrices_that_could_be_the_images_are_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", image_features=Y, image_embeds=-Y, text_features=X)
    with pytest.raises(InputError, match="--image-key"):
        import_embeddings(tmp_path / "a.npz")


@pytest.mark.parametrize("times", [5, 2])
def test_several_texts_an_image_name_the_option_for_labels(tmp_path, times):
    np.savez(tmp_path / "a.npz", images=Y, texts=np.repeat(X, times, axis=0))
    with pytest.raises(InputError, match=f"{N} and {times * N} rows .*--labels FILE"):
        import_embeddings(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_rounding_of_every_precision_counts_as_length_one(tmp_path, dtype):
    unit = torch.nn.functional.normalize(torch.randn(2, 200, 512, dtype=torch.float64).to(dtype), dim=-1)
    save_file({"images": unit[0].contiguous(), "texts": unit[1].contiguous()}, tmp_path / "a.safetensors")
    entries = import_embeddings(tmp_path / "a.safetensors")
    assert entries.normalised
    assert "divided by them (1 but for rounding)" in entries.metadata["lengths"]
    assert np.allclose(np.linalg.norm(entries.images, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "normalised"), [(0.996, 1.003, True), (0.99, 1.0, False), (1.0, 1.01, False)]
)
def test_lengths_from_0996_to_1003_are_rounding_and_others_are_kept(tmp_path, low, high, normalised):
    lengths = np.linspace(low, high, N)[:, None]
    y, x = (lengths * z / np.linalg.norm(z, axis=1, keepdims=True) for z in (Y, X))
    np.savez(tmp_path / "a.npz", images=y, texts=x)
    entries = import_embeddings(tmp_path / "a.npz")
    assert entries.normalised is normalised
    assert ("divided by them" if normalised else "kept (not 1 but for rounding)") in entries.metadata[
        "lengths"
    ]
    assert normalised or np.array_equal(entries.images, y)


def test_float64_of_safetensors_stays_float64(tmp_path):
    save_file({"images": torch.from_numpy(Y), "texts": torch.from_numpy(X)}, tmp_path / "a.safetensors")
    assert np.array_equal(import_embeddings(tmp_path / "a.safetensors").images, Y)


def run(*arguments):
    return CliRunner().invoke(import_files, [str(argument) for argument in arguments])


def test_the_command_says_what_it_used_and_left_out_and_keeps_it(tmp_path):
    for name, matrix in {"a": Y, "b": X}.items():
        lines = ["split;path;" + ";".join(f"d{j}" for j in range(D))]
        lines += [
            f"1;{FILES[i]};" + ";".join(f"{v:.9f}".replace(".", ",") for v in row)
            for i, row in enumerate(matrix)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    out = tmp_path / "out.safetensors"
    done = run(tmp_path / "a.csv", tmp_path / "b.csv", "--out", out)
    assert done.exit_code == 0, done.output
    said = "a.csv: 6 columns, d0 to d5, names from path, header in line 1, separator semicolon, decimal comma; left out: split"
    assert said in done.output
    stored = EmbeddingSet.load(out)
    assert stored.metadata["columns"][0] == said
    assert np.allclose(stored.images, Y, atol=1e-8)


def test_the_command_takes_every_option_of_a_table(tmp_path):
    (tmp_path / "a.csv").write_text("1,0|2,0|3,5\n4,0|5,0|6,0\n")
    out = tmp_path / "out.safetensors"
    done = run(tmp_path / "a.csv", tmp_path / "a.csv", "--out", out, "--header", "no", "--separator", "pipe", "--decimal", ",",
               "--columns", "2..3")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert EmbeddingSet.load(out).images.tolist() == [[2, 3.5], [5, 6]]
    for options in (["--header", "maybe"], ["--separator", "ab"], ["--columns", "2..9"]):
        assert isinstance(
            run(tmp_path / "a.csv", tmp_path / "a.csv", "--out", out, *options).exception, InputError
        )


@pytest.mark.parametrize("name", ["a.pt", "a.pkl", "a.csv.gz", "a.xlsx"])
def test_files_of_other_kinds_say_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="save it as one of them"):
        import_embeddings(tmp_path / name)
