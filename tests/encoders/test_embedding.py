import dataclasses
import functools
import itertools
import json
import multiprocessing
import os
import shutil
import sys
import threading
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image

from gapkit import _files
from gapkit._openclip import open_clip
from gapkit.cli import main
from gapkit.datasets import Dataset
from gapkit.datasets.images import ArrayImages, FileImages
from gapkit.embeddings import load_embeddings
from gapkit.encoders import batches, embed, load_model
from gapkit.encoders import embedding as machinery
from gapkit.encoders.batches import read_batches, too_stretched
from gapkit.encoders.embedding import embed_to_file
from gapkit.encoders.shards import ShardFolder
from gapkit.errors import GapkitWarning, InputError
from tests.encoders.tiny import write_tiny
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.set_num_threads(1)
    return load_model(f"local-dir:{write_tiny(tmp_path_factory.mktemp('tiny'))}")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(machinery, "_SHARD_BATCHES", 2)
    return tmp_path / "cache"


def pixels(count=20, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def pairs(count=20, **changes):
    fields = {"images": ArrayImages(pixels(count)), "prompts": [f"number {i}" for i in range(count)]}
    return Dataset(**({"name": "toy", "task": "pairs"} | fields | changes))


def left(cache):
    """Everything in the cache that is not a finished file; locks stay, empty, so that nobody unlinks a held one."""
    return [
        p
        for p in cache.rglob("*")
        if p.is_file() and p.suffix != ".lock" and (p.parent.name != "embeddings" or p.name.endswith(".part"))
    ]


def test_rows_are_the_models_embeddings_in_order(model, cache):
    data = pairs()
    result = embed(model, data, batch_size=3)
    expected = torch.cat([model.encode_images([data.images[i]]) for i in range(20)])
    assert np.allclose(result.images, expected, atol=1e-6)
    texts = model.encode_texts([row[0] for row in data.prompts])
    assert np.allclose(result.texts, texts, atol=1e-6)
    assert result.text_names == tuple(f"number {i}" for i in range(20))
    assert result.image_names == data.images.names
    assert result.normalised
    assert left(cache) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(model, tmp_path, monkeypatch, workers):
    alone = embed_to_file(model, pairs(), batch_size=3, out=tmp_path / "alone").read_bytes()
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "other"))
    helped = embed_to_file(
        model, pairs(), batch_size=3, workers=workers, out=tmp_path / "helped"
    ).read_bytes()
    assert alone == helped


@pytest.fixture
def starting_by():
    """How Python starts processes where nobody says so: macOS and Windows spawn, Python 3.14 has a server."""
    yield lambda method: multiprocessing.set_start_method(method, force=True)
    multiprocessing.set_start_method(None, force=True)


@pytest.mark.skipif(sys.platform != "linux", reason="others cannot fork")
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_on_linux_workers_depend_on_how_this_python_starts_processes(model, starting_by, method):
    alone = embed(model, pairs(), batch_size=3)
    starting_by(method)
    assert np.array_equal(alone.images, embed(model, pairs(name="again"), batch_size=3, workers=1).images)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_images_that_cannot_be_sent_to_a_spawned_worker_are_a_traceback(
    model, monkeypatch, starting_by, platform
):
    class Own(ArrayImages):
        """Defined in a function, as in many a notebook."""

    monkeypatch.setattr(sys, "platform", platform)
    starting_by("spawn")
    with pytest.raises(InputError, match="worker processes; take none .*Own"):
        embed(model, pairs(images=Own(pixels())), workers=1)


def test_the_second_call_is_served_from_the_cache(model, monkeypatch):
    first = embed_to_file(model, pairs())
    before = first.stat().st_mtime_ns
    monkeypatch.setattr(type(model), "encode_pixels", None)  # calling it would fail
    assert embed_to_file(model, pairs()) == first
    assert first.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [
        {"images": ArrayImages(pixels(seed=1))},
        {"prompts": [f"Number {i}" for i in range(20)]},
        {"name": "other"},
        {"task": "zero-shot", "labels": list(range(20))},
        {"notes": {"template": "x"}},
    ],
)
def test_whatever_the_dataset_changes_is_embedded_anew(model, change):
    assert embed_to_file(model, pairs()) != embed_to_file(model, pairs(**change))


def test_other_weights_preprocessing_or_precision_are_embedded_anew(model, tmp_path):
    paths = {embed_to_file(model, pairs())}
    other = load_model(f"local-dir:{write_tiny(tmp_path / 'other')}")
    with torch.no_grad():
        other.module.text_projection += 0.1
    paths.add(embed_to_file(dataclasses.replace(other, name=model.name), pairs()))
    config = model.config | {"preprocess": model.config["preprocess"] | {"mean": [0.0] * 3}}
    paths.add(embed_to_file(dataclasses.replace(model, config=config), pairs()))
    paths.add(embed_to_file(model, pairs(), precision="bfloat16"))
    assert len(paths) == 4
    low = load_embeddings(embed_to_file(model, pairs(), precision="bfloat16"))
    high = load_embeddings(embed_to_file(model, pairs()))
    assert 1e-5 < np.abs(low.images - high.images).max() < 0.1
    assert low.metadata["precision"] == "bfloat16"


@pytest.mark.parametrize("change", ["data", "numpy"])
def test_weights_changed_behind_torchs_back_are_served_from_the_cache(tmp_path, change):
    model = load_model(f"local-dir:{write_tiny(tmp_path / 'tiny')}")
    before = embed(model, pairs())
    weights = model.module.text_projection
    if change == "data":
        weights.data.neg_()
    else:
        np.negative(weights.numpy(), out=weights.numpy())
    assert np.allclose(embed(model, pairs()).texts, -before.texts, atol=1e-6)


def test_parts_of_a_model_exchanged_by_hand_are_served_from_the_cache(model):
    before = embed(model, pairs())
    flipped = dataclasses.replace(model, preprocess=lambda image: model.preprocess(image).flip(-1))
    after = embed(flipped, pairs())
    assert not np.allclose(after.images, before.images, atol=1e-3)
    assert np.array_equal(after.texts, before.texts)
    shout = dataclasses.replace(model, tokenise=lambda texts: model.tokenise([f"{t} zebra" for t in texts]))
    after = embed(shout, pairs())
    assert not np.allclose(after.texts, before.texts, atol=1e-3)
    assert np.array_equal(after.images, before.images)


def test_a_tokeniser_of_another_manner_is_served_from_the_cache(model):
    length = model.config["context_length"]
    bare = open_clip().tokenizer.SimpleTokenizer(context_length=length, clean="canonicalize")
    data = pairs(2, prompts=["a photo, of a cat!", "a photo; of: a dog?"])
    assert not np.allclose(
        embed(dataclasses.replace(model, tokenise=bare), data).texts, embed(model, data).texts
    )


_TURNS = itertools.count()


def _another_each_time(image, preprocess):
    return preprocess(image) + 1e-3 * next(_TURNS)


def _wants_more(image, preprocess):
    if image.width > 40:
        raise ValueError("too wide")
    return preprocess(image)


@pytest.mark.parametrize("own", [_another_each_time, _wants_more])
def test_a_strangers_preprocessing_ends_the_run_or_fills_the_cache(model, own):
    strange = dataclasses.replace(model, preprocess=functools.partial(own, preprocess=model.preprocess))
    assert embed_to_file(strange, pairs()) == embed_to_file(strange, pairs()) != embed_to_file(model, pairs())


def test_a_tokeniser_exchanged_by_hand_is_lost_on_a_cluster(model):
    content = ["a cat", "a dog"]
    wrong = batches.tokens_sha256(lambda texts: model.tokenise([f"{t} zebra" for t in texts]), content)
    how = batches.Precisely(2, "float32", 1, "cpu")
    right = batches.tokens_sha256(model.tokenise, content)
    embeddings, faults = batches._embed_shard(lambda: model, how, "toy", (content, right))
    assert embeddings.shape[0] == 2 and faults == {}
    with pytest.raises(InputError, match="workers load .* anew, with another tokeniser"):
        batches._embed_shard(lambda: model, how, "toy", (content, wrong))


def test_of_two_images_of_one_name_the_readable_one_keeps_the_other_from_the_cache(model, files, monkeypatch):
    data, decode, reads = pairs(2, images=FileImages(files.folder, ["0.png", "0.png"])), FileImages.decode, []

    def half(self, row, content):
        reads.append(row)
        if row == 1:
            raise InputError("0.png: no decoder")
        return decode(self, row, content)

    monkeypatch.setattr(FileImages, "decode", half)
    with pytest.warns(GapkitWarning, match="1 images cannot be read"):
        first = embed_to_file(model, data, on_error="skip")
    changed = first.stat().st_mtime_ns
    assert embed_to_file(model, data, on_error="skip").stat().st_mtime_ns == changed


def test_preprocessing_exchanged_by_hand_is_lost_on_a_cluster(model):
    class Client:
        def __getattr__(self, name):
            raise AssertionError("asked of the cluster before it was refused")

    flipped = dataclasses.replace(model, preprocess=lambda image: model.preprocess(image).flip(-1))
    with pytest.raises(InputError, match="workers load local-dir:.* anew"):
        embed(flipped, pairs(), cluster=Client(), device="cpu")


def test_images_of_other_names_get_those_of_the_cache(model):
    first, second = (pairs(2, images=ArrayImages(pixels(2), names)) for names in (("a", "b"), ("c", "d")))
    assert embed(model, first).image_names == ("a", "b")
    assert embed(model, second).image_names == ("c", "d")


def test_an_image_that_can_be_read_by_now_stays_left_out_for_good(model, files, monkeypatch):
    data, decode = pairs(2, images=FileImages(files.folder, ["0.png", "1.png"])), FileImages.decode

    def moody(self, row, content):
        if row == 1:
            raise InputError("1.png: no decoder")
        return decode(self, row, content)

    monkeypatch.setattr(FileImages, "decode", moody)
    with pytest.warns(GapkitWarning, match="1 images cannot be read"):
        embed(model, data, on_error="skip")
    monkeypatch.setattr(FileImages, "decode", decode)
    assert embed(model, data).image_names == ("0.png", "1.png")


def test_groups_and_names_from_numpy_are_a_traceback(model):
    kinds, images = np.array(["a", "b"]), ArrayImages(pixels(2), np.array([7, 8]))
    result = embed(model, pairs(2, images=images, groups=kinds, text_names=np.array(["x", "y"])))
    assert (result.groups, result.text_names, result.image_names) == (("a", "b"), ("x", "y"), ("7", "8"))
    assert pairs(2, groups=kinds).fingerprint() == pairs(2, groups=["a", "b"]).fingerprint()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": ["a"]}, "groups must have 2 entries; got 1"),
        ({"groups": ["a", "b", "c"]}, "groups must have 2 entries; got 3"),
        ({"text_names": ["a"]}, "text_names must have 2 entries; got 1"),
        ({"images": [Image.new("RGB", (8, 8))] * 2}, "images must have names"),
        ({"notes": {"seed": np.int64(1)}}, "notes must be plain values: .*int64"),
    ],
)
def test_what_a_dataset_cannot_hold_is_a_traceback_or_cut_after_hours(model, changes, message):
    with pytest.raises(InputError, match=f"dataset toy: {message}"):
        embed(model, pairs(2, **changes))


def test_an_interrupted_run_goes_on_with_the_same_bytes(model, cache, tmp_path, monkeypatch):
    whole = embed_to_file(model, pairs(), batch_size=2).read_bytes()
    shutil.rmtree(cache)
    calls, real = [], type(model).encode_pixels

    def stops_after(number):
        def encode(self, batch):
            calls.append(len(batch))
            if len(calls) == number:
                raise KeyboardInterrupt
            return real(self, batch)

        return encode

    monkeypatch.setattr(type(model), "encode_pixels", stops_after(6))
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(model, pairs(), batch_size=2)
    assert len(calls) == 6
    monkeypatch.setattr(type(model), "encode_pixels", stops_after(0))
    assert embed_to_file(model, pairs(), batch_size=2).read_bytes() == whole
    assert len(calls) == 6 + 10 - 4, "two shards of two batches were finished and must not be made again"
    assert left(cache) == []


def test_shards_that_rot_are_made_again(model, cache, monkeypatch):
    whole = embed_to_file(model, pairs(), batch_size=2).read_bytes()
    shutil.rmtree(cache)
    monkeypatch.setattr(machinery, "assemble", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(model, pairs(), batch_size=2)
    monkeypatch.undo()
    monkeypatch.setenv("GAPKIT_CACHE", str(cache))
    monkeypatch.setattr(machinery, "_SHARD_BATCHES", 2)
    shards = sorted(cache.rglob("images-*.safetensors"))
    assert len(shards) == 5
    shards[0].write_bytes(shards[0].read_bytes()[:-1])
    shards[1].write_bytes(b"")
    shutil.copyfile(shards[3], shards[4].with_name(".x.part"))
    assert embed_to_file(model, pairs(), batch_size=2).read_bytes() == whole
    assert left(cache) == []


def test_ensembles_are_averaged_and_normalised_again(model):
    rows = [("a cat", "one cat", "the cat"), ("a dog",), ("a cow", "one cow")]
    data = pairs(3, prompts=rows, task="zero-shot", labels=[0, 1, 2])
    result = embed(model, data, batch_size=2)
    for row, texts in enumerate(rows):
        mean = model.encode_texts(texts).double().mean(0)
        assert np.allclose(result.texts[row], mean / mean.norm(), atol=1e-6)
    assert result.text_names == ("a cat", "a dog", "a cow")


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(pixels(10)):
        Image.fromarray(image).save(folder / f"{i}.png")
    (folder / "3.png").write_bytes(b"no image")
    (folder / "7.png").unlink()
    return FileImages(folder, [f"{i}.png" for i in range(10)])


def test_unreadable_images_are_fatal_unless_asked_and_listed(model, files):
    with pytest.raises(
        InputError, match=r"2 images cannot be read; .*--skip-unreadable.*on_error='skip'.*3\.png.*7\.png"
    ):
        embed(model, pairs(10, images=files), batch_size=4)


def test_what_was_computed_before_unreadable_images_were_listed_is_kept(model, cache, files, monkeypatch):
    data, calls, real = pairs(10, images=files), [], type(model).encode_pixels

    def encode(self, batch):
        calls.append(len(batch))
        return real(self, batch)

    monkeypatch.setattr(type(model), "encode_pixels", encode)
    with pytest.raises(InputError, match="2 images"):
        embed(model, data, batch_size=2)
    assert sum(calls) == 8
    with pytest.warns(GapkitWarning, match="2 images"):
        result = embed(model, data, batch_size=2, on_error="skip")
    assert sum(calls) == 8, "nothing was left to compute"
    assert left(cache) == []
    with pytest.raises(InputError, match="2 images"):  # out of the cache, too
        embed(model, data, batch_size=2)
    assert np.array_equal(embed(model, data, on_error="skip").images, result.images)


def test_passing_faults_are_tried_again(model, files):
    class Moody(FileImages):
        broken = True

        def __getitem__(self, row):
            if row == 5 and self.broken:
                raise InputError("5.png: input/output error")
            return super().__getitem__(row)

    images = Moody(files.folder, [name for name in files.names if name not in ("3.png", "7.png")])
    with pytest.raises(InputError, match=r"1 images cannot be read.*5\.png"):
        embed(model, pairs(8, images=images), batch_size=2)
    Moody.broken = False
    assert len(embed(model, pairs(8, images=images), batch_size=2).images) == 8


class Replaced(FileImages):
    """Images one of which is another while it is read, and itself again before and afterwards."""

    def read(self, row):
        path = self.folder / self.paths[row]
        if row != 4 or not self.replaced:
            return super().read(row)
        kept, state = path.read_bytes(), path.stat()
        if self.replaced == "removed":
            path.unlink()
        else:
            path.write_bytes((self.folder / self.paths[0]).read_bytes())
        try:
            return super().read(row)
        finally:
            path.write_bytes(kept)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("replaced", ["other", "removed"])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_an_image_replaced_for_a_moment_leaves_a_wrong_row(model, files, cache, replaced, on_error, workers):
    names = [name for name in files.names if name not in ("3.png", "7.png")]
    images = Replaced(files.folder, names)
    images.replaced = replaced
    data = pairs(8, images=images)
    with pytest.raises(InputError, match=rf"{names[4]} changed while toy was embedded; run it again"):
        embed(model, data, batch_size=2, on_error=on_error, workers=workers)
    assert not list(cache.glob("embeddings/*"))
    images.replaced = ""
    result = embed(model, data, batch_size=2, on_error=on_error)
    assert np.allclose(result.images, model.encode_images([images[i] for i in range(8)]), atol=1e-6)
    assert left(cache) == []


def test_a_sequence_of_ones_own_that_changes_leaves_rows_behind(model, cache):
    class Own(Sequence):
        names, colour = ("a", "b"), 0

        def __len__(self):
            return 2

        def __getitem__(self, row):
            Own.colour += 1
            return Image.new("RGB", (8, 8), (Own.colour, 0, 0))

        def fingerprint(self):
            return str(Own.colour)

    with pytest.raises(InputError, match="images of toy changed meanwhile"):
        embed(model, pairs(2, images=Own()))
    assert left(cache) == []
    assert not list(cache.glob("embeddings/*"))


def test_a_class_that_changes_what_files_give_is_passed_over(model, files):
    class Grey(FileImages):
        def __getitem__(self, row):
            return super().__getitem__(row).convert("L").convert("RGB")

    images = Grey(files.folder, ["0.png", "1.png"])
    result = embed(model, pairs(2, images=images))
    assert np.allclose(result.images, model.encode_images([images[0], images[1]]), atol=1e-6)


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_flipped_bit_in_the_cache_is_copied_out(model, tmp_path, place):
    path = embed_to_file(model, pairs())
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    spot = start + int(place * (len(whole) - start))
    path.write_bytes(whole[:spot] + bytes([whole[spot] ^ 1]) + whole[spot + 1 :])
    out = embed_to_file(model, pairs(), out=tmp_path / "out.safetensors")
    assert out.read_bytes() == path.read_bytes() == whole
    out.write_bytes(whole[:spot] + bytes([whole[spot] ^ 1]) + whole[spot + 1 :])
    with pytest.raises(InputError, match=r"out\.safetensors is damaged: its bytes are not those"):
        load_embeddings(out)


def test_cached_files_from_before_there_were_hashes_are_trusted(model, cache):
    path = embed_to_file(model, pairs())
    whole = path.read_bytes()
    result = load_embeddings(path)
    old = without_hash(path)
    assert np.array_equal(load_embeddings(path).images, result.images), (
        "elsewhere such a file is read as ever"
    )
    old.rename(path.with_name(path.name.replace("toy--", "toy--old-")))
    with pytest.warns(GapkitWarning, match=r"old-.* carried a hash; embedding it anew"):
        assert embed_to_file(model, pairs()) == path
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]


def without_hash(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    del header["__metadata__"]["gapkit_sha256"]
    described = json.dumps(header).encode()
    described += b" " * (-len(described) % 8)
    path.write_bytes(len(described).to_bytes(8, "little") + described + content[8 + size :])
    return path


def test_a_run_whose_image_was_replaced_for_a_moment_is_right_the_next_time_on_the_command_line(
    model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    for row, image in enumerate(pixels(6)):
        Image.fromarray(image).save(tmp_path / f"{row}.png")
    files = FileImages(tmp_path, [f"{row}.png" for row in range(6)])
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\n" + "".join(f"{name},text {name}\n" for name in files.names))
    command = [
        "embed",
        model.name,
        "csv",
        "--root",
        str(files.folder),
        "--annotations",
        str(table),
        "--quiet",
    ]
    victim = files.folder / files.names[4]
    good, encode = victim.read_bytes(), type(model).encode_texts

    def replaced(self, texts):
        Image.new("RGB", (32, 32), "red").save(
            victim, "PNG"
        )  # after the fingerprint, before the images are read
        return encode(self, texts)

    monkeypatch.setattr(type(model), "encode_texts", replaced)
    assert _ended(command, capsys) == (
        2,
        f"gapkit: {files.names[4]} changed while csv was embedded; run it again",
    )
    monkeypatch.setattr(type(model), "encode_texts", encode)
    victim.write_bytes(good)
    path = tmp_path / "out.safetensors"
    assert _ended([*command, "--out", str(path)], capsys)[0] == 0
    assert np.allclose(load_embeddings(path).images, model.encode_images(list(files)), atol=1e-6)


def test_a_flipped_bit_in_the_cache_is_measured_on_the_command_line(model, cache, monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    path = embed_to_file(model, pairs())
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    for command in ("measure", "advise"):
        code, said = _ended([command, str(path)], capsys)
        assert (code, said) == (
            2,
            f"gapkit: {path} is damaged: its bytes are not those that were written; make it again",
        )


def _ended(command, capsys):
    """The exit code, and the last line on stderr."""
    with pytest.raises(SystemExit) as end:
        main(command)
    said = capsys.readouterr().err.splitlines()
    return end.value.code, next((line for line in said if line.startswith("gapkit: ")), "")


@pytest.mark.parametrize("spoil", ["shard", "damage", "run", "cache"])
def test_a_cache_that_vanishes_or_rots_in_mid_run_is_a_traceback(model, cache, monkeypatch, spoil):
    """Whichever part is lost after it was finished: one line, or it is made again; the next run is right."""
    whole = embed(model, pairs()).images.copy()
    shutil.rmtree(cache)
    assemble = machinery.assemble

    def spoilt(dataset, images, texts, *rest):
        first = images._path(0)
        if spoil == "damage":
            first.write_bytes(first.read_bytes()[:-9])
        elif spoil == "shard":
            first.unlink()
        else:
            shutil.rmtree(images.folder if spoil == "run" else cache)
        return assemble(dataset, images, texts, *rest)

    monkeypatch.setattr(machinery, "assemble", spoilt)
    with pytest.raises(InputError, match="was removed or damaged meanwhile; run the same again"):
        embed(model, pairs())
    monkeypatch.setattr(machinery, "assemble", assemble)
    assert np.array_equal(embed(model, pairs()).images, whole)


def test_shards_whose_bytes_have_changed_are_taken(tmp_path):
    folder = ShardFolder(tmp_path, "images", count=9, size=9)
    folder.write(0, np.ones((9, 4), np.float32), {})
    assert list(folder.missing()) == []
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert [number for number, _ in folder.missing()] == [0]
    with pytest.raises(InputError, match="removed or damaged meanwhile; run the same again"):
        list(folder.blocks())


def test_runs_that_nobody_goes_on_with_are_removed_after_a_month(model, cache):
    runs = cache / "runs"
    for name, days in {"old": 31, "young": 29, "busy": 31}.items():
        (runs / f"{name}-0").mkdir(parents=True)
        (runs / f"{name}-0" / "images-000000.safetensors").write_bytes(b"x")
        then = (runs / f"{name}-0").stat().st_mtime - days * 24 * 3600
        os.utime(runs / f"{name}-0", (then, then))
    with _files.locked(runs / "busy.lock"):
        embed(model, pairs())
    assert sorted(p.name for p in runs.iterdir() if p.is_dir()) == ["busy-0", "young-0"]


def test_a_model_by_another_name_is_not_embedded_again(model, cache, monkeypatch):
    import dataclasses

    first = embed_to_file(model, pairs())
    monkeypatch.setattr(type(model), "encode_pixels", None)  # calling it would fail
    assert embed_to_file(dataclasses.replace(model, name="local-dir:./tiny"), pairs()) == first
    assert len(list((cache / "embeddings").iterdir())) == 1


def test_names_in_letters_of_several_bytes_are_too_long_for_the_cache(model, cache):
    path = embed_to_file(model, pairs(name="数据" * 200))
    assert path.parent == cache / "embeddings"
    assert len(os.fsencode(path.name)) < 160


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_damaged_file_in_the_cache_is_made_again(model, cache, keep):
    path = embed_to_file(model, pairs())
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    assert len(embed(model, pairs()).images) == 20
    assert path.read_bytes() == whole
    assert left(cache) == []


def test_file_names_that_are_no_utf_8_are_stored_as_escapes(model, tmp_path):
    name = os.fsdecode(b"b\xffd.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    os.rename(tmp_path / "x.png", tmp_path / name)
    (tmp_path / os.fsdecode(b"no\xfe.png")).write_bytes(b"no image")
    names = [name, os.fsdecode(b"no\xfe.png"), "x" * 300 + ".png"]
    data = pairs(3, images=FileImages(tmp_path, names))
    with pytest.warns(GapkitWarning, match="2 images"):
        path = embed_to_file(model, data, on_error="skip")
    result = load_embeddings(path)
    assert result.image_names == ("b\\udcffd.png",)
    assert [left_out[:10] for left_out, _ in result.metadata["skipped"]] == ["no\\udcfe.p", "x" * 10]
    str(result.metadata).encode()  # raises if anything is no Unicode


@pytest.mark.parametrize("field", ["prompts", "text_names", "groups"])
def test_lone_surrogates_are_one_clear_error_before_anything_is_computed(model, monkeypatch, field):
    monkeypatch.setattr(type(model), "encode_texts", None)
    data = pairs(3, **{field: ["a", "b\ud800", "c"]})
    with pytest.raises(InputError, match=r"dataset toy: texts must be valid Unicode; text 1, 'b"):
        embed(model, data)


def test_a_disk_that_is_full_in_the_middle_is_one_clear_error(tmp_path):
    resource = pytest.importorskip("resource")
    folder, before = (
        ShardFolder(tmp_path, "images", count=9, size=9),
        resource.getrlimit(resource.RLIMIT_FSIZE),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # files of more bytes cannot be written
    try:
        with pytest.raises(InputError, match="cannot write .*images-000000"):
            folder.write(0, np.ones((9, 512), np.float32), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("task", ["pairs", "several captions", "zero-shot", "multiple-choice"])
def test_unreadable_images_are_left_out_of_everything(model, files, task, workers):
    good = [0, 1, 2, 4, 5, 6, 8, 9]
    fields = {"images": files, "task": task}
    owner = np.array([3, 0, 9, 9, 7, 4, 1, 2, 5, 6, 8, 3, 8])
    if task == "several captions":
        fields |= {"task": "pairs", "prompts": [f"text {i}" for i in range(13)], "image_of_text": owner}
    if task == "zero-shot":
        fields |= {"labels": np.arange(10) % 4, "groups": [f"g{i}" for i in range(10)]}
    if task == "multiple-choice":
        rows = np.array([3, 0, 9, 9, 7, 4])
        fields |= {
            "options": np.stack([rows, (rows + 1) % 10], 1),
            "answers": [0, 0, 0, 0, 0, 0],
            "image_rows": rows,
            "groups": [f"q{i}" for i in range(6)],
        }
    with pytest.warns(GapkitWarning, match="2 images cannot be read and are left out: .*; no file"):
        result = embed(model, pairs(10, **fields), batch_size=4, on_error="skip", workers=workers)
    assert [name for name, _ in result.metadata["skipped"]] == ["3.png", "7.png"]
    assert result.image_names == tuple(f"{i}.png" for i in good)
    expected = model.encode_images([files[i] for i in good])
    assert np.allclose(result.images, expected, atol=1e-6)
    if task == "pairs":
        assert result.text_names == tuple(f"number {i}" for i in good)
        assert np.allclose(result.texts, model.encode_texts([f"number {i}" for i in good]), atol=1e-6)
    if task == "several captions":
        rows = np.flatnonzero((owner != 3) & (owner != 7))
        assert result.text_names == tuple(f"text {i}" for i in rows)
        assert [result.image_names[i] for i in result.image_of_text] == [f"{i}.png" for i in owner[rows]]
        assert np.allclose(result.texts, model.encode_texts([f"text {i}" for i in rows]), atol=1e-6)
    if task == "zero-shot":
        assert result.labels.tolist() == [i % 4 for i in good]
        assert result.groups == tuple(f"g{i}" for i in good)
    if task == "multiple-choice":
        assert result.groups == ("q1", "q2", "q3", "q5")
        assert [result.image_names[row] for row in result.image_rows] == ["0.png", "9.png", "9.png", "4.png"]
        assert result.options[:, 0].tolist() == [0, 9, 9, 4]


def test_a_dataset_without_one_readable_image_is_an_error(model, tmp_path):
    nothing = FileImages(tmp_path, ["a.png", "b.png"])
    with pytest.raises(InputError, match="that is all of them"):
        embed(model, pairs(2, images=nothing), on_error="skip")


def test_extreme_images_pass_through_the_pipeline(model, tmp_path):
    for name, size in {"dot": (1, 1), "line": (1, 900), "wide": (4000, 2)}.items():
        Image.new("RGB", size, (9, 9, 9)).save(tmp_path / f"{name}.png")
    names = ["dot.png", "line.png", "wide.png"]
    result = embed(model, pairs(3, images=FileImages(tmp_path, names)))
    assert np.isfinite(result.images).all()


@pytest.mark.parametrize("size", [(1, 60_000), (1, 2**20), (2**20, 1)])
def test_lines_that_resizing_would_make_gigabytes_are_left_out(model, tmp_path, size, monkeypatch):
    from torchvision.transforms import Compose, Resize, ToTensor

    Image.new("RGB", size).save(tmp_path / "line.png")
    images = FileImages(tmp_path, ["line.png"])
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "resize", lambda *_, **__: pytest.fail("resized all the same"))
        for preprocess in (model.preprocess, Compose([Resize(224), ToTensor()])):
            (batch,) = read_batches(images, preprocess, [range(1)])
            assert batch.pixels is None
            assert "too stretched" in batch.faults[0]
    (batch,) = read_batches(images, Compose([Resize((32, 32)), ToTensor()]), [range(1)])
    assert batch.pixels.shape == (1, 3, 32, 32), "squashed it is harmless"


def test_only_lines_are_too_stretched():
    transform = open_clip().transform
    shortest, squashed = (
        transform.image_transform_v2(
            transform.PreprocessCfg(size=(224, 224), resize_mode=mode), is_train=False
        )
        for mode in ("shortest", "squash")
    )
    assert too_stretched(shortest, 1, 60_000)
    assert not too_stretched(squashed, 1, 60_000)
    assert not too_stretched(shortest, 4_000, 100)


def test_too_little_memory_for_an_image_is_its_fault_alone(files):
    def preprocess(image):
        raise MemoryError

    (batch,) = read_batches(files, preprocess, [range(2)])
    assert batch.faults.keys() == {0, 1}
    assert "MemoryError" in batch.faults[0]


def test_two_threads_and_two_processes_share_one_cache(model, cache, tmp_path, monkeypatch):
    whole = embed_to_file(model, pairs(), batch_size=2).read_bytes()
    shutil.rmtree(cache)
    real = type(model).encode_pixels
    calls, waiting = [], threading.Semaphore(0)

    def held(self, batch):
        if not calls:  # the first one goes on when both others wait for it
            assert waiting.acquire(timeout=PATIENCE) and waiting.acquire(timeout=PATIENCE)
        calls.append(1)
        return real(self, batch)

    monkeypatch.setattr(type(model), "encode_pixels", held)
    monkeypatch.setattr(_files.warnings, "warn", lambda *_, **__: waiting.release())
    results = []

    def run():
        results.append(embed_to_file(model, pairs(), batch_size=2).read_bytes())

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [whole] * 3
    assert len(calls) == 10, "only one of them may do the work"
    assert left(cache) == []


def _embed_in_process(folder, start):
    torch.set_num_threads(1)
    machinery._SHARD_BATCHES = 2
    _files.warnings.warn = lambda *_, **__: None
    start.wait()
    embed_to_file(load_model(f"local-dir:{folder}"), pairs(), batch_size=2)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_two_processes_on_one_cache_do_not_harm_each_other(model, cache):
    context = multiprocessing.get_context("fork")
    start = context.Event()
    folder = model.name.removeprefix("local-dir:")
    workers = [context.Process(target=_embed_in_process, args=(folder, start)) for _ in range(3)]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(PATIENCE)
        assert worker.exitcode == 0
    assert left(cache) == []
    path = next(cache.rglob("*.safetensors"))
    fresh = embed_to_file(model, pairs(name="again"), batch_size=2)
    assert np.array_equal(load_embeddings(path).images, load_embeddings(fresh).images)


def test_out_is_a_copy_and_half_precision_is_possible(model, tmp_path):
    path = embed_to_file(model, pairs(), out=tmp_path / "deep" / "full.safetensors")
    half = embed_to_file(model, pairs(), out=tmp_path / "half.safetensors", dtype="float16")
    assert half.stat().st_size < path.stat().st_size
    assert np.abs(load_embeddings(half).images - load_embeddings(path).images).max() < 5e-4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "deep", "half.safetensors"]


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root and Windows may write anywhere")
def test_an_unwritable_cache_is_one_clear_error(model, cache):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(InputError, match="cannot write"):
        embed(model, pairs())


def test_a_cache_that_is_a_file_is_one_clear_error(model, cache):
    cache.write_text("in the way")
    with pytest.raises(InputError, match="cannot write to the cache"):
        embed(model, pairs())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"workers": -1}, "workers must be a whole number of at least 0"),
        ({"precision": "float64"}, "precision must be one of"),
        ({"on_error": "ignore"}, "on_error must be one of"),
        ({"dtype": "float64"}, "dtype must be one of"),
    ],
)
def test_bad_options_are_one_clear_error(model, options, message):
    with pytest.raises(InputError, match=message):
        embed_to_file(model, pairs(), **options)


def test_long_texts_are_cut_in_silence(model):
    prompts = ["a dog"] * 19 + ["word " * 14 + "cat"]  # 15 tokens and two marks; the model reads 16
    message = "1 of 20 texts of toy have more than the 16 tokens"
    with pytest.warns(GapkitWarning, match=message):
        result = embed(model, pairs(prompts=prompts))
    assert result.metadata["long_texts"] == {"count": 1, "of": 20, "context_length": 16}
    with pytest.warns(GapkitWarning, match=message):  # from the cache, too
        embed(model, pairs(prompts=prompts))
    with pytest.raises(InputError, match=message + ".*--on-long-text truncate"):
        embed(model, pairs(prompts=prompts), on_long_text="raise")
    fits = embed(model, pairs(prompts=["a dog"] * 19 + ["word " * 13 + "cat"]), on_long_text="raise")
    assert fits.metadata["long_texts"]["count"] == 0
    assert fits.metadata["weights_file"]["name"] == "open_clip_model.safetensors"
