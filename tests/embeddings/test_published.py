"""Published sets: a register as data, downloads by hash, local copies by their bytes."""

import dataclasses
import hashlib
import http.server
import re
import socket
import threading

import numpy as np
import pytest

from gapkit.embeddings import fetch_embeddings, list_embeddings, load_embeddings, published_sets
from gapkit.embeddings.published import find_published, read_register
from gapkit.errors import InputError

NAME = "coco500-clip-vitb16"
SETS = [name for name, entry in published_sets().items() if not entry.control]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def like(path, *, name, **changes):
    """A temporary register entry for ``path``, whose bytes it describes."""
    return dataclasses.replace(
        published_sets()[NAME],
        name=name,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        bytes=path.stat().st_size,
        **changes,
    )


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A made-up published file under a new name, so that every road can be walked without a network."""
    path = tmp_path / "theirs" / "features_made.npy"
    path.parent.mkdir()
    np.save(path, np.random.default_rng(0).standard_normal((2, 7, 16)).astype(np.float32))
    monkeypatch.setitem(published_sets(), "made7-up", like(path, name="made7-up", dimension=16))
    return path


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_the_register_names_everything_a_citation_and_a_download_need():
    for name, entry in published_sets().items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert re.fullmatch(r"[0-9a-f]{40}", entry.commit)
        assert entry.commit in entry.address and entry.address.endswith("/" + entry.file)
        assert entry.licence and entry.cite and entry.about and entry.bytes > 0
        assert entry.control or entry.model_cite
        assert entry.control == ("random" in entry.model)
    assert len({entry.sha256 for entry in published_sets().values()}) == len(published_sets())


def test_an_entry_that_lacks_something_is_named():
    source = (
        '[sources.s]\naddress = "http://x/"\nrepository = "r"\ncommit = "c"\nlicence = "MIT"\ncite = "c"\n'
    )
    entry = '[[sets]]\nname = "n"\nsource = "s"\nfile = "f.npy"\n'
    with pytest.raises(InputError, match="published set 'n'.*missing"):
        read_register(source + entry)


def test_a_new_set_is_one_entry_and_no_code(file):
    with pytest.raises(InputError, match=r"made7-up is not in the cache.*gapkit fetch made7-up"):
        load_embeddings("made7-up")
    assert "made7-up" not in list_embeddings()
    fetch_embeddings("made7-up", source=file)
    pairs = load_embeddings("made7-up")
    images = np.load(file)[0].astype(float)
    assert np.abs(pairs.images - images / np.linalg.norm(images, axis=1, keepdims=True)).max() < 1e-7
    assert (pairs.task, pairs.normalised, pairs.metadata["dataset"]) == ("pairs", True, "coco500")
    assert "made7-up" in list_embeddings()
    with pytest.raises(InputError, match="did you mean .made7-up"):
        load_embeddings("made7-upp")


def test_a_gram_matrix_and_a_table_are_entries_too(tmp_path, monkeypatch):
    z = np.random.default_rng(1).standard_normal((8, 5))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    np.savetxt(tmp_path / "cosines.csv", z @ z.T, delimiter=",")
    np.savez(tmp_path / "both.npz", images=3 * z[:4], texts=z[4:])
    for name, file, changes in (
        ("g", "cosines.csv", {"layout": "gram", "images": 4, "dimension": 9}),
        ("t", "both.npz", {"layout": "table", "dimension": 5}),
    ):
        monkeypatch.setitem(published_sets(), name, like(tmp_path / file, name=name, **changes))
        fetch_embeddings(name, source=tmp_path)
        found = load_embeddings(name)
        rows = np.concatenate([found.images, found.texts]).astype(float)
        assert np.abs(rows @ rows.T - z @ z.T).max() < 1e-6
        assert found.dim == changes["dimension"]


def test_files_are_found_by_their_bytes_whatever_they_are_called(file, tmp_path, cache):
    hidden = tmp_path / "home" / "deep" / "x.dat"
    hidden.parent.mkdir(parents=True)
    hidden.write_bytes(file.read_bytes())
    (tmp_path / "home" / "features_made.npy").write_bytes(b"not it")
    assert find_published(tmp_path / "home") == {"made7-up": cache / "downloads" / "made7-up.npy"}
    assert len(load_embeddings("made7-up").images) == 7


@pytest.mark.parametrize("position", [0, 100, -1])
def test_one_changed_byte_is_refused_with_both_hashes_and_leaves_nothing(file, cache, position):
    theirs = hashlib.sha256(file.read_bytes()).hexdigest()
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    for source in (file, file.parent):
        with pytest.raises(InputError) as fault:
            fetch_embeddings("made7-up", source=source)
        assert theirs in str(fault.value) and hashlib.sha256(content).hexdigest() in str(fault.value)
    assert files_in(cache) == []


def test_a_folder_without_the_file_says_what_was_looked_for(file, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=rf"looked for one of {file.stat().st_size} bytes.*features_made.npy"
    ):
        fetch_embeddings("made7-up", source=tmp_path / "empty")
    with pytest.raises(InputError, match="no file or folder"):
        fetch_embeddings("made7-up", source=tmp_path / "nowhere")


def test_a_damaged_file_in_the_cache_is_refused_and_fetched_anew(file):
    path = fetch_embeddings("made7-up", source=file)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"is damaged.*Delete it"):
        load_embeddings("made7-up")
    fetch_embeddings("made7-up", source=file)
    assert len(load_embeddings("made7-up").images) == 7


@pytest.fixture
def server(file, monkeypatch):
    """A loopback server of the file; ``server.send`` is what it sends, of the length it announces."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            here.asked.append(self.path)
            if here.status != 200:
                self.send_error(here.status)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(here.length))
            self.end_headers()
            self.wfile.write(here.send)

        def log_message(self, *_):
            pass

    here = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.send, here.status, here.asked = file.read_bytes(), 200, []
    here.length = len(here.send)
    monkeypatch.setenv("GAPKIT_PUBLISHED_URL", f"http://127.0.0.1:{here.server_port}/mirror")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    threading.Thread(target=here.serve_forever, daemon=True).start()
    yield here
    here.shutdown()
    here.server_close()


@pytest.mark.network
def test_a_download_arrives_once_and_whole(server, file):
    path = fetch_embeddings("made7-up")
    assert path.read_bytes() == file.read_bytes()
    fetch_embeddings("made7-up")
    assert server.asked == ["/mirror/features_made.npy"]


@pytest.mark.network
def test_a_download_of_other_bytes_is_refused_with_both_hashes_and_leaves_nothing(server, cache):
    theirs = hashlib.sha256(server.send).hexdigest()
    server.send = server.send[:-1] + bytes([server.send[-1] ^ 1])
    with pytest.raises(InputError, match="not the published ones") as fault:
        fetch_embeddings("made7-up")
    assert theirs in str(fault.value) and hashlib.sha256(server.send).hexdigest() in str(fault.value)
    assert files_in(cache) == []


@pytest.mark.network
def test_a_download_that_breaks_off_or_is_refused_leaves_nothing(server, cache):
    server.send = server.send[:-100]  # announced longer than it is
    with pytest.raises(InputError, match="cannot download made7-up.*--from FILE"):
        fetch_embeddings("made7-up")
    server.status = 404
    with pytest.raises(InputError, match="404"):
        fetch_embeddings("made7-up")
    assert files_in(cache) == []


def test_without_a_network_it_is_said_what_to_do(file, monkeypatch, cache):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GAPKIT_PUBLISHED_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(InputError, match=r"no connection.*--from FILE"):
            fetch_embeddings("made7-up")
    assert files_in(cache) == []
