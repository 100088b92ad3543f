"""Folders of classes as people have them: the exact classes and what is said, or the exact refusal."""

import os
import unicodedata
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gapkit.datasets import load_dataset
from gapkit.datasets.images import FileImages
from gapkit.errors import GapkitWarning, InputError

E, DECOMPOSED = "caf\u00e9", "cafe\u0301"
GOOD = ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"]
LABELS = {"cat": ["cat/1.jpg", "cat/2.jpg"], "dog": ["dog/1.jpg"]}


def splits(names, last):
    return (
        f"photos holds {names}, which look like parts of a dataset with its classes inside; name one of them, such as "
        f"--root photos/{last}, or say --nested if they are the classes"
    )


CASES = {
    "plain": (GOOD, LABELS, []),
    "hidden and tool folders at every depth": (
        [
            *GOOD,
            ".ipynb_checkpoints/1.jpg",
            "cat/.ipynb_checkpoints/1-checkpoint.jpg",
            "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
            "dog/.thumbnails/1.jpg",
            "dog/._1.jpg",
            "__MACOSX/cat/1.jpg",
            "dog/.DS_Store",
        ],
        LABELS,
        [
            "left out of photos, hidden files and folders, and those of tools: .ipynb_checkpoints, __MACOSX, "
            "cat/.ipynb_checkpoints, cat/@eaDir, dog/._1.jpg and 1 more"
        ],
    ),
    "other endings": (
        ["cat/1.jfif", "cat/2.JPE", "cat/3.pjpeg", "dog/1.avif", "dog/2.jp2"],
        {"cat": ["cat/1.jfif", "cat/2.JPE", "cat/3.pjpeg"], "dog": ["dog/1.avif", "dog/2.jp2"]},
        [],
    ),
    "endings that are not read": (
        [*GOOD, "cat/3.heic", "dog/2.HEIC", "dog/3.jxl", "dog/notes.txt", "cat/4"],
        LABELS,
        [
            "left out of photos, images that Pillow cannot read here: 2 .heic, 1 .jxl",
            "left out of photos, files that are not images: 1 without an ending, 1 .txt",
        ],
    ),
    "a class of HEIC alone": (
        [*GOOD, "owl/1.heic"],
        LABELS,
        [
            "left out of photos, images that Pillow cannot read here: 1 .heic",
            "left out of photos, subfolders without an image: owl",
        ],
    ),
    "images beside the classes": (
        [*GOOD, "cover.png"],
        LABELS,
        ["left out of photos, images in no subfolder: 1"],
    ),
    "train and val": (
        ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "val/dog/1.jpg"],
        splits("train, val", "val"),
        [],
    ),
    "Training and Testing": (
        ["Training/cat/1.jpg", "Testing/cat/1.jpg"],
        splits("Testing, Training", "Training"),
        [],
    ),
    "train, val and flat test": (
        ["train/cat/1.jpg", "val/cat/1.jpg", "test/1.jpg"],
        splits("test, train, val", "val"),
        [],
    ),
    "train and val beside others": (
        ["train/cat/1.jpg", "val/cat/1.jpg", "extra/1.jpg"],
        splits("extra, train, val", "val"),
        [],
    ),
    "folds": (
        ["fold1/cat/1.jpg", "fold1/dog/1.jpg", "fold2/cat/1.jpg", "fold2/dog/1.jpg"],
        splits("fold1, fold2", "fold2"),
        [],
    ),
    "a class called train": (
        ["train/1.jpg", "bus/1.jpg"],
        {"bus": ["bus/1.jpg"], "train": ["train/1.jpg"]},
        [],
    ),
    "subfolders of a class": (
        ["cat/home/1.jpg", "cat/1.jpg", "dog/1.jpg", "dog/home/2.jpg"],
        {"cat": ["cat/1.jpg", "cat/home/1.jpg"], "dog": ["dog/1.jpg", "dog/home/2.jpg"]},
        [],
    ),
    "one class in both forms of Unicode": (
        [f"{E}/1.jpg", f"{DECOMPOSED}/2.jpg", "bar/1.jpg"],
        {"bar": ["bar/1.jpg"], E: [f"{DECOMPOSED}/2.jpg", f"{E}/1.jpg"]},
        [],
    ),
    "underscores": (
        ["ice_cream/1.jpg", "ice cream/1.jpg", "bar/1.jpg"],
        "photos: the folders ice cream and ice_cream are the same class; rename or join them",
        [],
    ),
    "capitals": (
        ["Cat/1.jpg", "cat/1.jpg"],
        "photos: the folders Cat and cat are the same class; rename or join them",
        [],
    ),
    "nothing but two spellings of one class": (
        ["ice cream/1.jpg", "ice_cream/1.jpg"],
        "photos: the folders ice cream and ice_cream are the same class; rename or join them",
        [],
    ),
    "spaces that no model sees": (
        [*GOOD, "cat /3.jpg"],
        "photos: the folders cat and cat  are the same class; rename or join them",
        [],
    ),
    "codes in place of names": (
        ["n01440764/1.jpg", "n01443537/1.jpg"],
        {"n01440764": ["n01440764/1.jpg"], "n01443537": ["n01443537/1.jpg"]},
        [
            "the names of classes, such as n01440764, are codes or begin with numbers, and go into the prompts as they "
            "are; models read words: rename the folders"
        ],
    ),
    "only a hidden second class": (
        ["cat/1.jpg", ".ipynb_checkpoints/1.jpg"],
        "photos must have at least two subfolders of images, one for each class; found 1 (left out of photos, hidden "
        "files and folders, and those of tools: .ipynb_checkpoints). For images with captions write a CSV file instead",
        [],
    ),
}


def write(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = {"avif": "AVIF", "jp2": "JPEG2000", "png": "PNG"}.get(name.rpartition(".")[2], "JPEG")
        Image.new("RGB", (8, 6)).save(path, kind)


def classes_of(data):
    return {
        name: [path for path, label in zip(data.images.paths, data.labels, strict=True) if label == row]
        for row, name in enumerate(data.text_names)
    }


@pytest.mark.parametrize("name", CASES)
def test_a_folder_is_read_otherwise(tmp_path, monkeypatch, name):
    names, expected, said = CASES[name]
    write(tmp_path / "photos", names)
    monkeypatch.chdir(tmp_path)
    if isinstance(expected, str):
        with pytest.raises(InputError) as caught:
            load_dataset("folder", root="photos")
        assert str(caught.value) == expected
        return
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        data = load_dataset("folder", root="photos")
    assert classes_of(data) == expected
    assert data.notes.get("said", []) == said
    assert "; ".join(said) == "".join(str(warning.message) for warning in warned)
    assert all(image.size == (8, 6) for image in data.images)


def test_nested_does_not_make_splits_classes(tmp_path):
    write(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "val/dog/1.jpg"])
    assert load_dataset("folder", root=tmp_path, nested=True).text_names == ("train", "val")
    inside = load_dataset("folder", root=tmp_path / "val")
    assert inside.text_names == ("cat", "dog")


def test_names_in_another_form_of_unicode_are_not_found(tmp_path):
    write(tmp_path, [f"{DECOMPOSED}/{DECOMPOSED}.jpg"])
    images = FileImages(tmp_path, [f"{E}/{E}.jpg", f"{E}/{DECOMPOSED}.jpg", f"{DECOMPOSED}/{DECOMPOSED}.jpg"])
    assert [image.size for image in images] == [(8, 6)] * 3
    assert len(set(images.hashes()[1])) == 1
    with pytest.raises(InputError, match="no file"):
        FileImages(tmp_path, [f"{E}/other.jpg"])[0]


NAMES = st.sampled_from(
    ["cat", "dog", "train", "val", "Test", ".hidden", "@eaDir", E, DECOMPOSED, "a_b", "a b"]
)
ENDINGS = st.sampled_from([".jpg", ".JPEG", ".jfif", ".heic", ".txt", ""])
FILES = st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.sampled_from(["1", ".1", "2"]), ENDINGS)


@settings(max_examples=200)
@given(files=st.lists(FILES, min_size=1, max_size=6))
def test_an_image_is_lost_in_silence_or_in_another_class(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("photos")
    names = {"/".join([*folders, stem + ending]) for folders, stem, ending in files}
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GapkitWarning)
            data = load_dataset("folder", root=root)
            again = load_dataset("folder", root=root)
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017
        return
    assert data.fingerprint() == again.fingerprint()
    good = {
        name
        for name in names
        if name.lower().endswith((".jpg", ".jpeg", ".jfif"))
        and not any(part.startswith((".", "@")) for part in name.split("/"))
    }
    assert set(data.images.paths) == good
    for path, label in zip(data.images.paths, data.labels, strict=True):
        top = unicodedata.normalize("NFC", path.split("/")[0]).replace("_", " ")
        assert data.text_names[label] == top
    assert bool(data.notes.get("said")) == (good != names - {name for name in names if _quiet(name)})


def _quiet(name):
    """Hidden files that are not images are nobody's loss; what lies in hidden folders is named with the folder."""
    *folders, file = name.split("/")
    return (
        file.startswith(".")
        and not file.lower().endswith((".jpg", ".jpeg", ".jfif"))
        and not any(folder.startswith((".", "@")) for folder in folders)
    )


SCAN = os.scandir


class Scan:
    """What `os.scandir` gives, by name, or the other way round."""

    turned = False

    def __init__(self, path):
        self.entries = iter(sorted(SCAN(path), key=lambda entry: entry.name, reverse=Scan.turned))

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    close = __exit__


def test_what_is_said_of_a_folder_depends_on_the_order_of_the_disk(tmp_path, monkeypatch):
    """It is among what an embedding is kept under: the same folder would be another one elsewhere."""
    root = tmp_path / "photos"
    for name in ("cat/b.png", "dog/c.png", ".thumbs/d.png", "void/note.txt", "../elsewhere/e.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name, "PNG")
    (root / "zebra").symlink_to(tmp_path / "elsewhere")
    said = []
    monkeypatch.setattr(os, "scandir", Scan)
    for turned in (False, True):
        monkeypatch.setattr(Scan, "turned", turned)
        with warnings.catch_warnings(action="ignore"):
            data = load_dataset("folder", root=root)
        said.append((data.notes["said"], data.images.names, data.text_names))
    assert said[0] == said[1]
    assert len(said[0][0]) == 4


def test_links_out_of_the_folder_are_followed_unasked(tmp_path):
    root, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for folder in (root / "cat", root / "dog", elsewhere / "secret"):
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "a.png")
    (root / "secret").symlink_to(elsewhere / "secret")
    (root / "cat" / "b.png").symlink_to(elsewhere / "secret" / "a.png")
    (root / "cat" / "c.png").symlink_to(root / "dog" / "a.png")  # inside: as good as a file
    with pytest.warns(GapkitWarning, match="links out of the folder .*: cat/b.png, secret"):
        data = load_dataset("folder", root=root)
    assert data.images.names == ("cat/a.png", "cat/c.png", "dog/a.png")
    assert any(
        "links out of the folder" in said and "cat/b.png, secret" in said for said in data.notes["said"]
    )
    told = load_dataset("folder", root=root, follow_links=True)
    assert told.images.names == ("cat/a.png", "cat/b.png", "cat/c.png", "dog/a.png", "secret/a.png")
