import contextlib
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from gapkit.embeddings import EmbeddingSet, load_embeddings
from gapkit.embeddings.files import Part, write_parts
from gapkit.errors import InputError
from tests.embeddings.test_sets import toy


@pytest.fixture
def saved(tmp_path):
    return toy().normalise().save(tmp_path / "toy.safetensors")


@pytest.mark.parametrize("task", ["zero-shot", "pairs", "multiple-choice"])
def test_a_file_gives_back_every_field(task, tmp_path):
    names = {"text_names": [f"ein Hütchen {i}" for i in range(6 if task == "pairs" else 4)]}
    names["image_names"] = [f"{i}.png" for i in range(6)]
    before = toy(task, **names, metadata={"model": "m", "sizes": [1, 2], "note": None})
    after = EmbeddingSet.load(before.save(tmp_path / "a.safetensors"))
    for field in ("images", "texts", "labels", "options", "answers", "image_rows"):
        assert np.array_equal(getattr(before, field), getattr(after, field)), field
    for field in ("task", "groups", "text_names", "image_names", "normalised", "metadata"):
        assert getattr(before, field) == getattr(after, field), field


def test_half_precision_rows_are_unit_again_after_loading(tmp_path):
    rng = np.random.default_rng(1)
    wide = EmbeddingSet(
        images=rng.standard_normal((200, 64)), texts=rng.standard_normal((200, 64)), task="pairs"
    ).normalise()
    half = EmbeddingSet.load(wide.save(tmp_path / "half.safetensors", dtype="float16"))
    assert half.images.dtype == np.float32
    stored = np.linalg.norm(wide.images.astype(np.float16).astype(float), axis=1)
    assert np.abs(stored - 1).max() > 1e-5, "the test must have something to repair"
    assert np.abs(np.linalg.norm(half.images.astype(float), axis=1) - 1).max() < 1e-7
    plain = wide.replace(normalised=False)
    kept = EmbeddingSet.load(plain.save(tmp_path / "plain.safetensors", dtype="float16"))
    assert np.array_equal(kept.images, wide.images.astype(np.float16).astype(np.float32))


def test_a_memory_mapped_set_is_exactly_what_is_stored(tmp_path):
    rng = np.random.default_rng(2)
    images = rng.standard_normal((64, 8)).astype(np.float32)
    path = EmbeddingSet(images=images, texts=images[:2], task="zero-shot", labels=[0] * 64).save(
        tmp_path / "m"
    )
    mapped = load_embeddings(path, memory_map=True)
    assert np.array_equal(mapped.images, images)
    before = path.read_bytes()
    mapped.images[0] = 7  # a private mapping: the file must not change
    assert path.read_bytes() == before


def test_overflow_in_half_precision_is_refused_and_nothing_is_written(tmp_path):
    large = toy().replace(images=np.full((6, 5), 1e6))
    with pytest.raises(InputError, match="do not fit into float16"):
        large.save(tmp_path / "large.safetensors", dtype="float16")
    assert list(tmp_path.iterdir()) == []


def test_newer_format_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "new.safetensors"
    save_file({"images": np.eye(2), "texts": np.eye(2)}, path, metadata={"gapkit_format": "2"})
    with pytest.raises(InputError, match="format version 2; this gapkit reads up to 1"):
        load_embeddings(path)


def test_a_foreign_safetensors_file_is_sent_to_import(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"x": np.eye(2)}, path)
    with pytest.raises(InputError, match="gapkit import"):
        load_embeddings(path)


def test_metadata_that_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match="metadata must hold plain values"):
        toy(metadata={"model": object()}).save(tmp_path / "a.safetensors")


def test_every_truncation_is_one_clear_error(saved):
    whole = saved.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"toy\.safetensors"):
            load_embeddings(saved)


@settings(max_examples=150)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_headers_load_or_raise_input_error_and_nothing_else(saved, changes):
    whole = saved.read_bytes()
    damaged = bytearray(whole)
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    for place, byte in changes:
        damaged[int(place * (header + 40))] = byte
    try:
        saved.write_bytes(damaged)
        with contextlib.suppress(InputError):
            load_embeddings(saved)
    finally:
        saved.write_bytes(whole)


@settings(max_examples=100)
@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_headers_that_are_any_json_load_or_raise_input_error(tmp_path, header):
    for name, value in {"gapkit": json.dumps(header), "gapkit_format": str(header)}.items():
        metadata = {"gapkit_format": "1", name: value}
        path = tmp_path / "fuzz.safetensors"
        save_file({"images": np.eye(2), "texts": np.eye(2)}, path, metadata=metadata)
        with pytest.raises(InputError):
            load_embeddings(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"images": np.eye(2)}, "no texts"),
        ({"images": np.eye(2), "texts": np.zeros((2, 2))}, "zero row"),
        ({"images": np.zeros(3), "texts": np.eye(2)}, "damaged: images has shape"),
        ({"images": np.eye(2), "texts": np.eye(3)}, "same dimension"),
        ({"images": np.eye(2), "texts": np.eye(2), "text_names": np.eye(2)}, "text_names cannot be read"),
        (
            {"images": np.eye(2), "texts": np.eye(2), "text_names": np.frombuffer(b"[1]", np.uint8)},
            "text_names cannot be read",
        ),
    ],
)
def test_damage_inside_a_well_formed_file_is_named(tmp_path, tensors, message):
    path = tmp_path / "odd.safetensors"
    facts = json.dumps({"task": "pairs", "normalised": True, "metadata": {}})
    save_file(tensors, path, metadata={"gapkit_format": "1", "gapkit": facts})
    with pytest.raises(InputError, match=message):
        load_embeddings(path)


@pytest.mark.parametrize("memory_map", [False, True])
@pytest.mark.parametrize("side", ["images", "texts"])
def test_rows_that_are_not_normalised_as_said_are_refused_mapped_or_not(tmp_path, side, memory_map):
    rows = {name: np.eye(5, dtype=np.float32)[:4] for name in ("images", "texts")}
    rows[side] = 3 * rows[side]
    parts = {name: Part("float32", z.shape, [z]) for name, z in rows.items()}
    path = write_parts(tmp_path / "long.safetensors", parts, {}, "pairs", True, {})
    with pytest.raises(InputError, match=f"{side} must have rows of length 1; row . has length 3"):
        EmbeddingSet.load(path, memory_map=memory_map)


@pytest.mark.parametrize("kind", ["holds itself", "deep", "huge number", "larger than a header may be"])
def test_metadata_of_any_shape_is_one_line_and_nothing_is_written(tmp_path, kind):
    about = {"a": []}
    if kind == "holds itself":
        about["a"].append(about)
    elif kind == "deep":
        for _ in range(100_000):
            about = {"a": about}
    else:
        about = {"a": 10**5000 if kind == "huge number" else "x" * 101_000_000}
    entries = EmbeddingSet(np.eye(3), np.eye(3), "pairs", metadata=about)
    with pytest.raises(InputError, match="^metadata must"):
        entries.save(tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_names_of_files_that_are_not_utf8_survive_the_file(tmp_path):
    names = ("caf\udce9.jpg", "é", "😀")
    entries = EmbeddingSet(np.eye(3), np.eye(3), "pairs", image_names=names)
    assert EmbeddingSet.load(entries.save(tmp_path / "a.safetensors")).image_names == names


@pytest.mark.parametrize("ending", [".npz", ".NPY", ".csv", ".parquet"])
def test_a_file_is_not_called_what_nothing_would_read_again(tmp_path, ending):
    entries = EmbeddingSet(np.eye(3), np.eye(3), "pairs")
    with pytest.raises(InputError, match="name it a.safetensors"):
        entries.save(tmp_path / f"a{ending}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("dtype", "scale"), [("float16", 1e-6), ("float16", 1e-9), ("float32", 1e-60)])
def test_rows_too_small_for_a_narrower_dtype_are_refused(tmp_path, dtype, scale):
    tiny = np.eye(3) + 1
    tiny[1] *= scale
    with pytest.raises(InputError, match=f"do not fit into {dtype}"):
        EmbeddingSet(tiny, np.eye(3), "pairs").save(tmp_path / "a.safetensors", dtype=dtype)
    tiny[1] = 0
    assert EmbeddingSet(tiny, np.eye(3), "pairs").save(tmp_path / "a.safetensors", dtype=dtype).exists()


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int64, torch.bool])
@pytest.mark.parametrize("memory_map", [False, True])
def test_matrices_of_a_dtype_that_is_never_written_are_damage(tmp_path, dtype, memory_map):
    path = EmbeddingSet(np.eye(3), np.eye(3), "pairs").save(tmp_path / "a.safetensors")
    with safe_open(path, "pt") as file:
        header = {name: text for name, text in file.metadata().items() if name != "gapkit_sha256"}
    save_tensors({"images": torch.eye(3).to(dtype), "texts": torch.eye(3)}, path, header)
    with pytest.raises(InputError, match="is damaged: images is of"):
        EmbeddingSet.load(path, memory_map=memory_map)
