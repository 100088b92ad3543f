import hashlib
import json

import pytest

from gapkit.embeddings import list_embeddings, load_embeddings
from gapkit.errors import InputError
from tests.embeddings.test_sets import toy


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with one shipped set and its manifest."""
    folder = tmp_path / "data"
    path = toy().normalise().save(folder / "embeddings" / "miniclip-wide@1" / "scenes100.safetensors")
    entry = {
        "path": "data/embeddings/miniclip-wide@1/scenes100.safetensors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
    }
    (folder / "manifest.json").write_text(json.dumps({"files": [entry]}))
    monkeypatch.setenv("GAPKIT_DATA", str(folder))
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    return folder


def test_shipped_sets_load_by_name_and_are_listed(data):
    assert list_embeddings() == ["miniclip-wide@1/scenes100"]
    assert load_embeddings("miniclip-wide@1/scenes100").task == "zero-shot"


def test_a_changed_shipped_file_is_refused_even_after_a_good_load(data):
    load_embeddings("miniclip-wide@1/scenes100")
    path = data / "embeddings" / "miniclip-wide@1" / "scenes100.safetensors"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"sha256 differs.*git checkout"):
        load_embeddings("miniclip-wide@1/scenes100")


def test_a_shipped_file_outside_the_manifest_is_refused(data):
    (data / "manifest.json").write_text('{"files": []}')
    with pytest.raises(InputError, match="not listed in"):
        load_embeddings("miniclip-wide@1/scenes100")


def test_a_broken_manifest_is_named(data):
    (data / "manifest.json").write_text('{"files": [')
    with pytest.raises(InputError, match=r"cannot read .*manifest\.json"):
        load_embeddings("miniclip-wide@1/scenes100")


def test_unknown_names_bring_the_nearest_known(data):
    with pytest.raises(InputError, match="did you mean 'miniclip-wide@1/scenes100'"):
        load_embeddings("miniclip-wide/scenes10")
    with pytest.raises(InputError, match="no file"):
        load_embeddings("nothing/here.safetensors")


@pytest.mark.parametrize("name", ["../manifest", "miniclip-wide@1/../../secret", "/etc/passwd"])
def test_names_cannot_climb_out_of_the_data_folder(data, name):
    (data / "secret.safetensors").write_bytes(b"")
    with pytest.raises(InputError):
        load_embeddings(name)


def test_missing_data_folder_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("GAPKIT_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    assert list_embeddings() == []
    with pytest.raises(InputError, match=r"no shipped data in .*nowhere.*GAPKIT_DATA"):
        load_embeddings("miniclip-wide/scenes100")


def test_a_shipped_set_whose_file_is_gone_says_how_to_restore_it(data):
    (data / "embeddings" / "miniclip-wide@1" / "scenes100.safetensors").unlink()
    assert list_embeddings() == ["miniclip-wide@1/scenes100"]
    with pytest.raises(InputError, match=r"is missing; restore it with: git checkout"):
        load_embeddings("miniclip-wide@1/scenes100")
