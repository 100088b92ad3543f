import contextlib
import io
import pickle
import zipfile

import numpy as np
import pandas
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from gapkit.cli.embeddings import import_files
from gapkit.embeddings import import_embeddings
from gapkit.errors import InputError

RNG = np.random.default_rng(0)
IMAGES, TEXTS = RNG.standard_normal((6, 5)), RNG.standard_normal((6, 5))


def write(path, **matrices):
    if path.suffix == ".npy":
        np.save(path, next(iter(matrices.values())))
    elif path.suffix == ".npz":
        np.savez(path, **matrices)
    elif path.suffix == ".safetensors":
        save_file(matrices, path)
    else:
        frame = pandas.DataFrame(next(iter(matrices.values())))
        frame.columns = [f"d{i}" for i in frame.columns]
        frame.insert(0, "caption", [f"text {i}" for i in range(len(frame))])
        frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


ROWS = np.array([2, 0, 1, 1, 0, 2])
WORDS = np.array(["cat", "dog", "ship"])


def labelled_table(folder, ending, column, labels):
    """Images with a column of labels, and three texts with their names, in two tables."""
    images = pandas.DataFrame(IMAGES, columns=[f"d{i}" for i in range(5)]).assign(**{column: labels})
    texts = pandas.DataFrame(TEXTS[:3], columns=[f"d{i}" for i in range(5)]).assign(class_name=WORDS)
    paths = [folder / f"{side}.{ending}" for side in ("images", "texts")]
    for frame, path in zip((images, texts), paths, strict=True):
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    return paths


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["label", "targets", "y"])
@pytest.mark.parametrize("labels", [ROWS, ROWS.astype(float), WORDS[ROWS]], ids=["rows", "floats", "names"])
def test_a_column_of_labels_beside_the_images_makes_it_zero_shot(tmp_path, ending, column, labels):
    entries = import_embeddings(*labelled_table(tmp_path, ending, column, labels))
    assert entries.task == "zero-shot" and entries.labels.tolist() == ROWS.tolist()
    assert any(f"labels from {column}" in line for line in entries.metadata["columns"])
    np.testing.assert_allclose(entries.images, IMAGES, rtol=1e-6)


@pytest.mark.parametrize("texts", ["class_embeddings", "zeroshot_weights", "text_features"])
def test_labels_of_an_archive_may_be_the_names_of_its_texts(tmp_path, texts):
    members = {"image_features": IMAGES, texts: TEXTS[:3], "classes": WORDS, "labels": WORDS[ROWS]}
    entries = import_embeddings(write(tmp_path / "a.npz", **members))
    assert entries.labels.tolist() == ROWS.tolist() and entries.text_names == tuple(WORDS)


@pytest.mark.parametrize("names", [["cat", "dog", "car"], ["cat", "ship", "ship"]], ids=["unknown", "twice"])
def test_labels_that_name_no_text_or_two_are_refused(tmp_path, names):
    members = {"images": IMAGES, "texts": TEXTS[:3], "classes": np.array(names), "labels": WORDS[ROWS]}
    with pytest.raises(InputError, match="'ship'.*--labels"):
        import_embeddings(write(tmp_path / "a.npz", **members))


TURN = np.array([2, 0, 1])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["class_id", "label", "target"])
@pytest.mark.parametrize("ids", [np.arange(3), np.array([7, 50, 3])], ids=["rows", "ids"])
def test_labels_are_ids_of_classes_where_the_texts_have_them(tmp_path, ending, column, ids):
    paths = labelled_table(tmp_path, ending, "label", ids[ROWS])
    texts = pandas.DataFrame(TEXTS[TURN], columns=[f"d{i}" for i in range(5)]).assign(**{column: ids[TURN]})
    texts.to_csv(paths[1], index=False) if ending == "csv" else texts.to_parquet(paths[1])
    entries = import_embeddings(*paths)
    np.testing.assert_allclose(entries.matched()[0], TEXTS[ROWS], rtol=1e-6)


@pytest.mark.parametrize("kind", ["class_ids", "classes"])
@pytest.mark.parametrize("as_text", [False, True])
def test_labels_are_ids_of_classes_in_an_archive_too(tmp_path, kind, as_text):
    ids = TURN.astype(str) if as_text else TURN
    labels = ROWS.astype(str) if as_text else ROWS
    members = {"images": IMAGES, "texts": TEXTS[TURN], kind: ids, "labels": labels}
    entries = import_embeddings(write(tmp_path / "a.npz", **members))
    assert np.array_equal(entries.matched()[0], TEXTS[ROWS].astype(entries.texts.dtype))


def test_labels_that_could_be_rows_or_names_of_texts_are_asked_about(tmp_path):
    paths = labelled_table(tmp_path, "csv", "label", ROWS)
    frame = pandas.DataFrame(TEXTS[:3], columns=[f"d{i}" for i in range(5)])
    frame.set_index(TURN).to_csv(paths[1])
    with pytest.raises(InputError, match=r"labels rows of the texts, or their .*--labels FILE"):
        import_embeddings(*paths)
    frame.assign(class_id=[4, 5, 6]).to_csv(paths[1], index=False)
    with pytest.raises(InputError, match=r"not all one of the class_id of the texts.*--labels FILE"):
        import_embeddings(*paths)
    pandas.concat([frame.assign(class_name=WORDS)] * 2).to_csv(paths[1], index=False)
    with pytest.raises(InputError, match=r"several texts a class\?"):
        import_embeddings(*paths, task="zero-shot")


@pytest.mark.parametrize(("wrong", "message"), [(-1, "labels must lie in"), (np.nan, "labels must be")])
def test_labels_that_are_no_rows_are_called_by_what_is_wrong(tmp_path, wrong, message):
    labels = np.array([0, 1, 2, 0, 1, wrong])
    with pytest.raises(InputError, match=f"^{message}"):
        import_embeddings(write(tmp_path / "a.npz", images=IMAGES, texts=TEXTS[:3], labels=labels))


def test_as_many_texts_as_images_with_labels_in_a_table_are_zero_shot_where_that_is_said(tmp_path):
    paths = labelled_table(tmp_path, "csv", "label", ROWS)
    pandas.DataFrame(TEXTS, columns=[f"d{i}" for i in range(5)]).to_csv(paths[1], index=False)
    assert import_embeddings(*paths, task="zero-shot").labels.tolist() == ROWS.tolist()


@pytest.mark.parametrize("spec", ["d*", "d0..d9"])
def test_columns_that_are_said_are_in_one_order_on_both_sides(tmp_path, spec):
    names = [f"d{i}" for i in range(15)]
    frame = pandas.DataFrame(np.hstack([IMAGES, TEXTS, IMAGES]), columns=names)
    frame[sorted(names)].to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.csv", index=False)
    spec = {"a.csv": spec, "b.csv": spec if "*" in spec else "d0..d14"}
    sides = [import_embeddings(*[tmp_path / name] * 2, columns=spec[name], normalise="no") for name in spec]
    np.testing.assert_allclose(sides[0].images, sides[1].images)


def test_an_archive_called_npy_and_files_without_rows_are_one_line(tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", TEXTS)
    np.save(tmp_path / "c.npy", TEXTS[:0])
    with pytest.raises(InputError, match="call it .npz"):
        import_embeddings(tmp_path / "a.npy", tmp_path / "b.npy")
    for files in (("c.npy", "b.npy"), ("b.npy", "c.npy")):
        with pytest.raises(InputError, match="empty|at least|shape"):
            import_embeddings(*(tmp_path / name for name in files))


def test_a_column_of_labels_leaves_as_many_texts_as_images_pairs(tmp_path):
    paths = labelled_table(tmp_path, "csv", "label", ROWS)
    pandas.DataFrame(TEXTS, columns=[f"d{i}" for i in range(5)]).to_csv(paths[1], index=False)
    assert import_embeddings(*paths).task == "pairs"


@pytest.mark.parametrize("ending", ["npy", "npz", "csv", "parquet", "safetensors"])
def test_two_files_of_any_format_become_pairs(tmp_path, ending):
    images = write(tmp_path / f"a.{ending}", anything=IMAGES)
    texts = write(tmp_path / f"b.{ending}", whatever=TEXTS)
    pairs = import_embeddings(images, texts, metadata={"model": "theirs"})
    assert pairs.task == "pairs"
    assert not pairs.normalised
    assert np.allclose(pairs.images, IMAGES, atol=1e-6)
    assert np.allclose(pairs.texts, TEXTS, atol=1e-6)
    assert pairs.metadata["model"] == "theirs"
    if ending in ("csv", "parquet"):
        assert pairs.text_names == tuple(f"text {i}" for i in range(6))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize(
    "keys", [("image_features", "text_features"), ("image_embedding", "text_embedding"), ("IMG", "txt")]
)
def test_one_archive_with_both_sides_is_enough(tmp_path, ending, keys):
    path = write(tmp_path / f"both.{ending}", **{keys[0]: IMAGES, keys[1]: TEXTS})
    assert np.allclose(import_embeddings(path).texts, TEXTS, atol=1e-6)


def test_an_array_with_both_sides_has_the_images_first(tmp_path):
    path = write(tmp_path / "both.npy", both=np.stack([IMAGES, TEXTS]))
    assert np.array_equal(import_embeddings(path).images, IMAGES)
    assert np.array_equal(import_embeddings(path).texts, TEXTS)


def test_a_csv_without_header_and_a_parquet_with_lists(tmp_path):
    np.savetxt(tmp_path / "a.csv", IMAGES, delimiter=";")
    pandas.DataFrame({"emb": list(TEXTS), "name": list("abcdef")}).to_parquet(tmp_path / "b.parquet")
    pairs = import_embeddings(tmp_path / "a.csv", tmp_path / "b.parquet", text_key="emb")
    assert np.allclose(pairs.images, IMAGES)
    assert np.allclose(pairs.texts, TEXTS)
    assert pairs.text_names == tuple("abcdef")


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_index_and_columns_of_ids_and_labels_are_no_dimensions(tmp_path, ending, index):
    """As pandas writes a table whose columns have no names, or has them beside ids and labels."""
    unit = IMAGES / np.linalg.norm(IMAGES, axis=1, keepdims=True)  # else 0, 1, … could be a row
    plain = pandas.DataFrame(unit)
    beside = pandas.DataFrame(TEXTS, columns=[f"e{i}" for i in range(5)])
    beside.insert(0, "ID", np.arange(6))
    beside["label"] = 3
    beside["Class"] = 1.5
    for name, frame in {"a": plain, "b": beside}.items():
        path = tmp_path / f"{name}.{ending}"
        if ending == "csv":
            frame.to_csv(path, index=index)
        else:
            frame.columns = frame.columns.astype(str)
            frame.to_parquet(path, index=index)
    pairs = import_embeddings(tmp_path / f"a.{ending}", tmp_path / f"b.{ending}", normalise="no")
    assert pairs.images.shape == pairs.texts.shape == (6, 5)
    assert np.allclose(pairs.images, unit)
    assert np.allclose(pairs.texts, TEXTS)
    assert "5 columns, e0 to e4" in pairs.metadata["columns"][1]
    for word in ("ID", "label", "Class"):
        assert word in pairs.metadata["columns"][1].partition("left out")[2]


def test_a_table_without_coordinates_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,label\n1,2\n3,4\n")
    with pytest.raises(InputError, match="no columns of numbers that could be coordinates"):
        import_embeddings(tmp_path / "a.csv", tmp_path / "a.csv")


@pytest.mark.parametrize("kind", ["list", "fixed", "large", "sliced"])
def test_lists_of_every_kind_become_rows(tmp_path, kind):
    import pyarrow
    import pyarrow.parquet

    number = pyarrow.float32()
    kinds = {"fixed": pyarrow.list_(number, 5), "large": pyarrow.large_list(number)}
    column = pyarrow.array(IMAGES.astype(np.float32).tolist(), kinds.get(kind, pyarrow.list_(number)))
    table = pyarrow.table({"image_embedding": column, "text_embedding": column})
    pyarrow.parquet.write_table(table.slice(2) if kind == "sliced" else table, tmp_path / "a.parquet")
    pairs = import_embeddings(tmp_path / "a.parquet")
    assert np.allclose(pairs.images, IMAGES[2:] if kind == "sliced" else IMAGES, atol=1e-6)


def test_lists_of_different_lengths_or_missing_ones_are_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet

    for rows in ([[1.0, 2.0], [1.0]], [[1.0, 2.0], None]):
        column = pyarrow.array(rows, pyarrow.list_(pyarrow.float64()))
        pyarrow.parquet.write_table(pyarrow.table({"emb": column}), tmp_path / "a.parquet")
        with pytest.raises(InputError, match="must all have one length, and none be missing"):
            import_embeddings(tmp_path / "a.parquet", tmp_path / "a.parquet")


def test_many_small_members_and_repeated_parquet_columns_are_weighed_together(tmp_path, monkeypatch):
    import pyarrow
    import pyarrow.parquet

    monkeypatch.setattr("gapkit.embeddings.archives.LARGE", 1_000_000)
    np.savez_compressed(tmp_path / "a.npz", **{f"m{i}": np.zeros((100, 500)) for i in range(5)})
    zeros = pyarrow.array(np.zeros(100_000))
    pyarrow.parquet.write_table(pyarrow.table({f"e{i}": zeros for i in range(4)}), tmp_path / "a.parquet")
    for name in ("a.npz", "a.parquet"):
        assert (tmp_path / name).stat().st_size < 10_000
        with pytest.raises(InputError, match="would unpack"):
            import_embeddings(tmp_path / name, tmp_path / name)


def test_one_long_text_that_stands_in_every_row_is_weighed_as_often(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = 100_000
    for length, kind in ((5_000, "string"), (5, "string"), (5_000, "large_string"), (5_000, "binary")):
        text = "x" * length if kind != "binary" else b"x" * length
        chosen = pyarrow.array(np.zeros(rows, np.int32))
        names = pyarrow.DictionaryArray.from_arrays(chosen, pyarrow.array([text], kind))
        table = pyarrow.table(
            {"name": names, "d0": np.random.default_rng(0).random(rows, np.float32), "d1": np.zeros(rows)}
        )
        pyarrow.parquet.write_table(table, tmp_path / "a.parquet", store_schema=False)
        assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
        if length == 5:
            entries = import_embeddings(tmp_path / "a.parquet", tmp_path / "a.parquet", normalise="no")
            assert entries.image_names[:2] == (text, text)
        else:
            with pytest.raises(InputError, match="would unpack [0-9,]+ bytes"):
                import_embeddings(tmp_path / "a.parquet", tmp_path / "a.parquet")


@pytest.mark.parametrize("ending", ["npy", "txt"])
def test_labels_make_it_zero_shot(tmp_path, ending):
    labels = np.array([0, 1, 1, 0, 1, 0])
    path = tmp_path / f"labels.{ending}"
    np.save(path, labels) if ending == "npy" else path.write_text("\n".join(map(str, labels)))
    images, texts = write(tmp_path / "a.npy", a=IMAGES), write(tmp_path / "b.npy", b=TEXTS[:2])
    assert import_embeddings(images, texts, labels=path).labels.tolist() == labels.tolist()


def test_rows_that_are_unit_but_for_rounding_are_normalised_and_others_only_if_asked(tmp_path):
    def unit(z):
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    half = np.stack([unit(IMAGES), unit(TEXTS)]).astype(np.float16)
    path = write(tmp_path / "half.npy", both=half)
    assert import_embeddings(path).normalised
    assert not import_embeddings(path, normalise="no").normalised
    path = write(tmp_path / "raw.npy", both=np.stack([IMAGES, TEXTS]))
    assert not import_embeddings(path).normalised
    assert np.allclose(import_embeddings(path, normalise="yes").images, unit(IMAGES))


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_a_square_classifier_with_a_column_for_each_class_is_read_by_rows(tmp_path, kind):
    rng = np.random.default_rng(0)
    images, texts = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in rng.normal(size=(2, 20, 20)))
    np.save(tmp_path / "y.npy", images[:8].astype(kind))
    np.save(tmp_path / "x.npy", texts.T.astype(kind))
    np.save(tmp_path / "labels.npy", np.arange(8))
    files = {"images": tmp_path / "y.npy", "texts": tmp_path / "x.npy", "labels": tmp_path / "labels.npy"}
    with pytest.raises(InputError, match="the texts, 20 x 20, have columns of length 1 .* Transpose them"):
        import_embeddings(**files)
    assert np.allclose(import_embeddings(**files, normalise="no").texts, texts.T, atol=1e-3)
    assert import_embeddings(**files, normalise="yes").normalised  # who says it means rows
    np.save(tmp_path / "x.npy", texts.astype(kind))
    assert np.allclose(import_embeddings(**files).texts, texts, atol=1e-3)
    np.save(tmp_path / "x.npy", np.linalg.qr(texts)[0].astype(kind))  # unit rows and unit columns: rows it is
    assert import_embeddings(**files).normalised


def test_pickles_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    np.save(tmp_path / "a.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=np.array([Evil()], dtype=object), texts=TEXTS)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Evil()))
    for name in ("a.npy", "b.npz", "c.npy"):
        with pytest.raises(InputError, match="pickled objects, which could run code|cannot read"):
            import_embeddings(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_archives_that_unpack_to_gigabytes_or_climb_out_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gapkit.embeddings.archives.LARGE", 1_000_000)  # a real bomb takes a minute to pack
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (3_000, 512)}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as f,
    ):
        f.write(header.getvalue())
        for _ in range(3):
            f.write(bytes(2_048_000))
    with pytest.raises(InputError, match="would unpack"):
        import_embeddings(path)
    outside = tmp_path.parent / f"{tmp_path.name}-evil.npy"
    with zipfile.ZipFile(tmp_path / "slip.npz", "w") as archive:
        for name in ("../../evil.npy", str(outside)):
            archive.writestr(name, "x")
    with pytest.raises(InputError):
        import_embeddings(tmp_path / "slip.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bomb.npz", "slip.npz"]
    assert not outside.exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.npy": {"a": IMAGES}}, r"one matrix of shape \(6, 5\); name a second file"),
        ({"a.npz": {"p": IMAGES, "q": TEXTS}}, "which matrix of .* is meant. It has p, q; use --image-key"),
        ({"a.npy": {"a": IMAGES}, "b.npy": {"b": TEXTS[:3]}}, "matched row by row"),
        ({"a.npy": {"a": IMAGES}, "b.npy": {"b": TEXTS[:, :3]}}, "same dimension"),
        ({"a.npy": {"a": IMAGES * np.nan}, "b.npy": {"b": TEXTS}}, "must be finite"),
        ({"a.npy": {"a": IMAGES > 0}, "b.npy": {"b": TEXTS}}, "real numbers"),
        ({"a.npy": {"a": IMAGES[:0]}, "b.npy": {"b": TEXTS[:0]}}, "empty"),
    ],
)
def test_other_forms_are_one_clear_error(tmp_path, files, message):
    paths = [write(tmp_path / name, **matrices) for name, matrices in files.items()]
    with pytest.raises(InputError, match=message):
        import_embeddings(*paths)


def test_missing_files_unknown_endings_and_keys_are_one_clear_error(tmp_path):
    path = write(tmp_path / "a.npz", images=IMAGES, texts=TEXTS)
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(InputError, match="no file"):
        import_embeddings(tmp_path / "b.npy")
    with pytest.raises(InputError, match="ends in none of"):
        import_embeddings(tmp_path / "a.pt")
    with pytest.raises(InputError, match="has no 'foo'; it has images, texts"):
        import_embeddings(path, image_key="foo")
    (tmp_path / "l.txt").write_text("0\none\n")
    with pytest.raises(InputError, match="one whole number a line"):
        import_embeddings(path, labels=tmp_path / "l.txt")


@settings(max_examples=120)
@given(
    ending=st.sampled_from(["npy", "npz", "csv", "parquet", "safetensors"]),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    ),
    keep=st.floats(0.2, 1),
)
def test_damaged_files_load_or_raise_input_error_and_nothing_else(tmp_path, ending, changes, keep):
    path = write(tmp_path / f"both.{ending}", images=IMAGES, texts=TEXTS)
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path.write_bytes(content[: max(1, int(keep * len(content)))])
    with contextlib.suppress(InputError):
        import_embeddings(path, None if ending in ("npz", "safetensors") else path)


@pytest.mark.parametrize("source", ["a.npz", "b.safetensors"])
def test_what_is_imported_is_not_written_over(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / source, images=IMAGES, texts=TEXTS)
    before = (tmp_path / source).read_bytes()
    (tmp_path / "link.safetensors").symlink_to(source)
    for out in (source, "link.safetensors"):
        done = CliRunner().invoke(import_files, [source, "--out", out])
        assert isinstance(done.exception, InputError)
    assert (tmp_path / source).read_bytes() == before
