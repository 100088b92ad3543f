import contextlib
import csv
import hashlib
import io
import json
import pickle
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gapkit.datasets import load_dataset
from gapkit.datasets.captions import CIFAR10_NAMES, ENSEMBLE, REPHRASINGS
from gapkit.embeddings import EmbeddingSet, answer
from gapkit.errors import GapkitWarning, InputError

FUZZ = settings(max_examples=100)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def write_images(folder, *names):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (number * 40 % 256, 10, 10)).save(folder / name)


# CIFAR -------------------------------------------------------------------------------------------


unpublished = pytest.mark.filterwarnings("ignore:.*not the published bytes:gapkit.errors.GapkitWarning")


def cifar_batch(labels, key="labels"):
    rng = np.random.default_rng(0)
    return {
        "batch_label": "testing batch 1 of 1",
        key: list(labels),
        "data": rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8),
        "filenames": [f"image_{i}.png" for i in range(len(labels))],
    }


def write_cifar(root, name="cifar-10-batches-py/test_batch", content=None, protocol=2):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content or cifar_batch([3, 9, 0]), protocol=protocol))


@unpublished
def test_cifar10_reads_the_folder_torchvision_makes(tmp_path):
    write_cifar(tmp_path)
    data = load_dataset("cifar10", root=tmp_path)
    assert [data.text_names[label] for label in data.labels] == ["cat", "truck", "airplane"]
    assert data.prompts[0] == ("a photo of a airplane.",)
    raw = cifar_batch([3, 9, 0])["data"][1].reshape(3, 32, 32)
    assert np.array_equal(np.asarray(data.images[1]), raw.transpose(1, 2, 0))
    assert data.images.names == ("image_0.png", "image_1.png", "image_2.png")


@unpublished
def test_cifar10_agrees_with_torchvision(tmp_path, monkeypatch):
    from gapkit._openclip import ensure_torchvision

    ensure_torchvision()
    from torchvision.datasets import CIFAR10

    write_cifar(tmp_path)
    write_cifar(tmp_path, "cifar-10-batches-py/batches.meta", {"label_names": list(CIFAR10_NAMES)})
    for number in range(1, 6):
        write_cifar(tmp_path, f"cifar-10-batches-py/data_batch_{number}", cifar_batch([number, number + 1]))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    for split in ("test", "train"):
        theirs = CIFAR10(str(tmp_path), train=split == "train")
        ours = load_dataset("cifar10", root=tmp_path, split=split)
        assert np.array_equal(ours.images.pixels, theirs.data)
        assert ours.labels.tolist() == theirs.targets
        assert list(ours.text_names) == theirs.classes


@unpublished
def test_cifar100_has_its_fine_classes(tmp_path):
    write_cifar(tmp_path, "cifar-100-python/test", cifar_batch([1, 0], "fine_labels"))
    write_cifar(tmp_path, "cifar-100-python/meta", {"fine_label_names": ["apple", "aquarium_fish"]})
    data = load_dataset("cifar100", root=tmp_path, template="ensemble")
    assert data.text_names == ("apple", "aquarium fish")
    assert data.prompts[1] == tuple(text.format("aquarium fish") for text in ENSEMBLE)
    assert len(set(ENSEMBLE)) == 18


@unpublished
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_in_other_words_has_a_block_of_classes_for_each_wording(tmp_path, name):
    write_cifar(tmp_path)
    write_cifar(tmp_path, "cifar-100-python/test", cifar_batch([1, 0], "fine_labels"))
    write_cifar(tmp_path, "cifar-100-python/meta", {"fine_label_names": ["apple", "aquarium_fish"]})
    plain = load_dataset(name, root=tmp_path)
    data = load_dataset(f"{name}-rephrased", root=tmp_path)
    templates, size = data.notes["templates"], len(plain.prompts)
    assert [about["template"] for about in templates] == list(REPHRASINGS)
    assert [about["held_out"] for about in templates] == [False] + [True] * (len(REPHRASINGS) - 1)
    assert data.prompts[:size] == plain.prompts
    for block, template in enumerate(REPHRASINGS):
        said = load_dataset(name, root=tmp_path, template=template).prompts
        assert data.prompts[block * size : (block + 1) * size] == said
    assert np.array_equal(data.labels, plain.labels)
    assert len(set(data.prompts)) == len(data.prompts)


def test_unpacked_files_that_are_not_the_published_ones_are_used_in_silence(tmp_path):
    write_cifar(tmp_path)
    with pytest.warns(GapkitWarning, match="test_batch in .*: not the published bytes"):
        data = load_dataset("cifar10", root=tmp_path)
    assert "not the published bytes" in data.notes["said"][0]


def test_no_byte_of_an_archive_can_be_changed(tmp_path, monkeypatch):
    archive_with(tmp_path, {"cifar-10-batches-py/test_batch": pickle.dumps(cifar_batch([1, 2]), protocol=2)})
    path = tmp_path / "cifar-10-python.tar.gz"
    whole = path.read_bytes()
    monkeypatch.setattr("torchvision.datasets.CIFAR10.tgz_md5", hashlib.md5(whole).hexdigest())
    assert load_dataset("cifar10", root=tmp_path).labels.tolist() == [1, 2]
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError, match="is damaged or not the published archive: its md5 is"):
            load_dataset("cifar10", root=tmp_path)


def archive_with(root, members, name="cifar-10-python.tar.gz"):
    with tarfile.open(root / name, "w:gz") as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@unpublished
def test_cifar_is_read_from_its_archive_without_unpacking_it(tmp_path, monkeypatch):
    outside = tmp_path.parent / f"{tmp_path.name}-evil"
    evil = {"../evil": b"x", str(outside): b"x", "cifar-10-batches-py/../../evil2": b"x"}
    good = pickle.dumps(cifar_batch([1]), protocol=2)
    archive_with(tmp_path, evil | {"cifar-10-batches-py/test_batch": good})
    with pytest.raises(InputError, match="not the published archive"):
        load_dataset("cifar10", root=tmp_path)
    archive = tmp_path / "cifar-10-python.tar.gz"
    monkeypatch.setattr("torchvision.datasets.CIFAR10.tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert load_dataset("cifar10", root=tmp_path).labels.tolist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-python.tar.gz"]
    assert not (tmp_path.parent / "evil").exists()
    assert not outside.exists()


@unpublished
def test_cifar_never_runs_what_a_pickle_wants(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    write_cifar(tmp_path, content=cifar_batch([1]) | {"filenames": Evil()})
    with pytest.raises(InputError, match=r"it wants \w+\.exec"):
        load_dataset("cifar10", root=tmp_path)
    assert not (tmp_path / "ran").exists()


@unpublished
@pytest.mark.parametrize(
    "content",
    [
        {"data": np.zeros((2, 3072), np.uint8), "labels": [1]},
        {"data": np.zeros((2, 3071), np.uint8), "labels": [1, 2]},
        {"data": [1, 2], "labels": [1, 2]},
        {"labels": [1]},
        [1, 2],
        {"data": np.zeros((1, 3072), np.uint8), "labels": [10]},
        {"data": np.zeros((1, 3072), np.uint8), "labels": ["cat"]},
    ],
)
def test_cifar_of_another_form_is_refused(tmp_path, content):
    write_cifar(tmp_path, content=content)
    with pytest.raises(InputError):
        load_dataset("cifar10", root=tmp_path)


@unpublished
def test_cifar_damaged_or_missing_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match=r"no cifar10 in .*--download"):
        load_dataset("cifar10", root=tmp_path)
    write_cifar(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged"):
            load_dataset("cifar10", root=tmp_path)
    path.unlink()
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"\x1f\x8b" + bytes(50))
    with pytest.raises(InputError, match="damaged"):
        load_dataset("cifar10", root=tmp_path)


@unpublished
@FUZZ
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=5))
def test_damaged_cifar_loads_or_raises_input_error_and_nothing_else(tmp_path, changes):
    content = bytearray(pickle.dumps(cifar_batch([1]), protocol=2))
    for place, byte in changes:
        content[-place if place else 0] = byte
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        load_dataset("cifar10", root=tmp_path)


@unpublished
def test_damaged_cifar_that_asks_for_more_memory_than_is_free_is_blamed_on_the_memory(tmp_path, monkeypatch):
    write_cifar(tmp_path)

    def load(self):
        raise MemoryError

    monkeypatch.setattr("gapkit.datasets.cifar._OnlyArrays.load", load)
    with pytest.raises(InputError, match=r"test_batch is damaged.*more memory than is free"):
        load_dataset("cifar10", root=tmp_path)


# COCO captions and A-OKVQA -----------------------------------------------------------------------


def write_coco(tmp_path, images=None, annotations=None):
    content = {
        "images": images or [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}],
        "annotations": annotations
        or [
            {"id": 12, "image_id": 3, "caption": " A cat. "},
            {"id": 11, "image_id": 7, "caption": "A dog on a long leash."},
            {"id": 10, "image_id": 7, "caption": "A dog."},
        ],
    }
    path = tmp_path / "captions_val2017.json"
    path.write_text(json.dumps(content))
    return path


def test_coco_takes_all_captions_of_each_image_in_file_order_or_one(tmp_path):
    path = write_coco(tmp_path)
    write_images(tmp_path, "a.jpg", "b.jpg")
    with pytest.warns(
        GapkitWarning, match="3 captions of 2 images; all are kept, and any of an image's is right"
    ):
        data = load_dataset("coco", root=tmp_path, annotations=path)
    assert data.images.names == ("b.jpg", "a.jpg")
    assert data.prompts == (("A dog.",), ("A dog on a long leash.",), ("A cat.",))
    assert data.image_of_text.tolist() == [0, 0, 1]
    assert data.images[1].size == (8, 6)
    with pytest.warns(GapkitWarning, match="the first of each image is kept, 1 are left out"):
        first = load_dataset("coco", root=tmp_path, annotations=path, captions="first")
    assert first.prompts == (("A dog.",), ("A cat.",)) and first.image_of_text is None
    assert first.fingerprint() != data.fingerprint()
    with pytest.warns(GapkitWarning, match="the longest of each image"):
        longest = load_dataset("coco", root=tmp_path, annotations=path, captions="longest", limit=1)
    assert longest.prompts == (("A dog on a long leash.",),)


@pytest.mark.parametrize("limit", [-1, 0, True])
@pytest.mark.parametrize("name", ["coco", "aokvqa", "csv"])
def test_a_limit_below_one_counts_from_the_end(tmp_path, name, limit):
    path = tmp_path / "t.csv"
    path.write_text("image,caption\na.jpg,A cat.\nb.jpg,A dog.\n")
    path = {"coco": write_coco, "aokvqa": lambda f: write_aokvqa(f, [question()] * 3)}.get(
        name, lambda f: path
    )(tmp_path)
    with pytest.raises(InputError, match="limit must be a whole number"):
        load_dataset(name, root=tmp_path, annotations=path, limit=limit)


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "/etc/passwd",
        "x/../../a.jpg",
        "..\\a.jpg",
        "C:\\a.jpg",
        "",
        "a\0.jpg",
        ".",
        "./",
        "/",
        "./.",
    ],
)
def test_paths_that_leave_the_folder_are_refused(tmp_path, name):
    images = [{"id": 3, "file_name": name}]
    with pytest.raises(InputError, match="leads out of the folder"):
        load_dataset("coco", root=tmp_path, annotations=write_coco(tmp_path, images))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ("[]", "holds no object"),
        ('{"images": [], "annotations": []}', "annotations must be a non-empty list"),
        (
            '{"images": [{"id": 1}], "annotations": [{"id": 1, "image_id": "1", "caption": "x"}]}',
            "whole number",
        ),
        (
            '{"images": [{"id": 1}], "annotations": [{"id": 1, "image_id": 1, "caption": null}]}',
            "'caption' must be",
        ),
        (
            '{"images": [{"id": 2, "file_name": "a"}], "annotations": [{"id": 1, "image_id": 1, "caption": "x"}]}',
            "no image",
        ),
    ],
)
def test_coco_annotations_of_another_form_are_refused(tmp_path, text, message):
    path = tmp_path / "captions.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_dataset("coco", root=tmp_path, annotations=path)


def question(**changes):
    return {
        "split": "val",
        "image_id": 42,
        "question_id": "q1",
        "question": "What is it?",
        "choices": ["a cat", "a dog", "rain", "snow"],
        "correct_choice_idx": 1,
        "direct_answers": ["dog"] * 10,
    } | changes


def write_aokvqa(tmp_path, records):
    path = tmp_path / "aokvqa_v1p0_val.json"
    path.write_text(json.dumps(records))
    return path


def test_a_blank_first_caption_is_taken(tmp_path):
    annotations = [
        {"id": 1, "image_id": 3, "caption": " \n"},
        {"id": 2, "image_id": 3, "caption": "A cat."},
        {"id": 3, "image_id": 7, "caption": ""},
    ]
    path = write_coco(tmp_path, annotations=annotations)
    with pytest.warns(GapkitWarning, match="1 image without a caption: b.jpg"):
        data = load_dataset("coco", root=tmp_path, annotations=path)
    assert (data.images.names, data.prompts) == (("a.jpg",), (("A cat.",),))


def test_of_equal_options_one_is_wrong(tmp_path):
    records = [question(choices=["a cat", "a dog", " A  Cat", "snow"], correct_choice_idx=2)]
    data = load_dataset("aokvqa", root=tmp_path, annotations=write_aokvqa(tmp_path, records))
    assert data.options.tolist() == [[0, 1, 0, 2]]
    assert data.answers.tolist() == [0]
    entries = EmbeddingSet(
        images=[[0.9, 0.1]],
        texts=np.eye(2),
        task="multiple-choice",
        options=[[1, 0, 1, 0]],
        answers=[3],
    )
    given, right = answer(entries)
    assert given.tolist() == right.tolist() == [1]


def test_aokvqa_questions_share_images_and_texts(tmp_path):
    path = write_aokvqa(
        tmp_path, [question(), question(correct_choice_idx=0), question(image_id=5, question="Why?")]
    )
    write_images(tmp_path, "val2017/000000000042.jpg", "val2017/000000000005.jpg")
    data = load_dataset("aokvqa", root=tmp_path, annotations=path)
    assert data.images.names == ("val2017/000000000042.jpg", "val2017/000000000005.jpg")
    assert data.image_rows.tolist() == [0, 0, 1]
    assert data.answers.tolist() == [1, 0, 1]
    assert data.prompts[data.options[0, 1]] == ("What is it? a dog",)
    assert len(data.prompts) == 8
    assert data.images[1].size == (8, 6)
    bare = load_dataset("aokvqa", root=tmp_path / "val2017", annotations=path, template="a photo of {choice}")
    assert bare.prompts[0] == ("a photo of a cat",)
    assert bare.images[0].size == (8, 6)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([question(correct_choice_idx=None)], "test split keeps them secret"),
        ([question(correct_choice_idx=4)], "answers must lie in 0 … 3"),
        ([question(correct_choice_idx=-1)], "answers must lie in 0 … 3"),
        ([question(correct_choice_idx=2**63)], "correct_choice_idx|answers"),
        ([question(), question(choices=["a", "b"])], "offers 2 choices, the first question 4"),
        ([question(choices=[])], "list of texts"),
        ([question(choices=[1, 2, 3, 4])], "list of texts"),
        ([question(image_id="42")], "'image_id' must be a whole number"),
        ([question(split="../../etc")], None),
        ({"a": 1}, "non-empty list"),
    ],
)
def test_aokvqa_of_another_form_is_refused(tmp_path, records, message):
    path = write_aokvqa(tmp_path, records)
    if message is None:  # an odd split must not become part of a path
        assert load_dataset("aokvqa", root=tmp_path, annotations=path).images.names == ("000000000042.jpg",)
        return
    with pytest.raises(InputError, match=message):
        load_dataset("aokvqa", root=tmp_path, annotations=path)


@FUZZ
@given(content=JSON, which=st.sampled_from(["coco", "aokvqa"]))
def test_any_json_loads_or_raises_input_error_and_nothing_else(tmp_path, content, which):
    path = tmp_path / "any.json"
    for value in (
        content,
        {"images": content, "annotations": [{"id": 1, "image_id": 1, "caption": content}]},
        [content],
    ):
        path.write_text(json.dumps(value))
        with contextlib.suppress(InputError):
            load_dataset(which, root=tmp_path, annotations=path)


# Folders and CSV ---------------------------------------------------------------------------------


def test_folder_names_are_classes(tmp_path):
    write_images(tmp_path, "red_fox/1.png", "red_fox/deep/2.JPG", "owl/1.png", ".hidden/1.png", "readme.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "owl" / "notes.txt").write_text("no image")
    with pytest.warns(GapkitWarning, match=r"1 \.txt.*\.hidden.*empty.*in no subfolder: 1"):
        data = load_dataset("folder", root=tmp_path, template="a picture of the {}")
    assert data.images.names == ("owl/1.png", "red_fox/1.png", "red_fox/deep/2.JPG")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.prompts == (("a picture of the owl",), ("a picture of the red fox",))


def test_folder_needs_classes_and_templates_need_a_gap(tmp_path):
    write_images(tmp_path, "one/1.png")
    with pytest.raises(InputError, match="at least two subfolders"):
        load_dataset("folder", root=tmp_path)
    with pytest.raises(InputError, match="no folder"):
        load_dataset("folder", root=tmp_path / "nowhere")
    write_images(tmp_path, "two/1.png")
    with pytest.raises(InputError, match="needs the gap"):
        load_dataset("folder", root=tmp_path, template="a photo")
    for template in ([1], [], 5, None, ["a {}", b"{}"]):
        with pytest.raises(InputError, match="template"):
            load_dataset("folder", root=tmp_path, template=template)
    odd = load_dataset("folder", root=tmp_path, template="{} {0.__class__} {x}")
    assert odd.prompts[0] == ("one {0.__class__} {x}",), (
        "a template is no format string: nothing is looked up"
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_pairs_paths_and_captions(tmp_path, separator, encoding):
    write_images(tmp_path, "a.png", "sub/b.png")
    path = tmp_path / "captions.csv"
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows(
            [
                ["Caption", "who", "Image"],
                ["eine Tür, rot", "x", "a.png"],
                [],
                ["zwei\nZeilen", "y", "sub/b.png"],
            ]
        )
    data = load_dataset("csv", root=tmp_path, annotations=path)
    assert data.images.names == ("a.png", "sub/b.png")
    assert data.prompts == (("eine Tür, rot",), ("zwei\nZeilen",))
    assert data.images[1].size == (8, 6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column image"),
        (b"a,b\n1,2\n", "no column image or path or file; its first line says: a, b"),
        (b"image,caption\n", "no rows"),
        (b"image,caption\na.png\n", "line 2 has no caption"),
        (b"image,caption\na.png,  \n", "line 2 has no caption"),
        (b"image,caption\n../a.png,x\n", "leads out of the folder"),
        ("image,caption\na.png,Tür\n".encode("latin-1"), "not in UTF-8"),
        (b"image,caption\na.png," + b"x" * 200_000, "not readable CSV"),
    ],
)
def test_csv_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "captions.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_dataset("csv", root=tmp_path, annotations=path)


@FUZZ
@given(
    content=st.binary(max_size=80)
    | st.text(max_size=80).map(lambda text: b"image,caption\n" + text.encode("utf-8", "ignore"))
)
def test_any_bytes_as_csv_load_or_raise_input_error_and_nothing_else(tmp_path, content):
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        load_dataset("csv", root=tmp_path, annotations=path)
