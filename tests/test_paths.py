"""Shipped data without a clone: fetched by hash into the cache, from a server that may be good or not."""

import http.server
import json
import shutil
import threading
import time
from pathlib import Path

import pytest

import gapkit
from gapkit import _paths
from gapkit.cli import main
from gapkit.datasets import shipped_file, shipped_folder
from gapkit.embeddings import list_embeddings
from gapkit.errors import InputError
from tests.waiting import PATIENCE

DATA = Path(__file__).resolve().parents[1] / "data"
SET = "embeddings/miniclip-wide/scenes100.safetensors"
pytestmark = pytest.mark.network


class Server:
    """The data folder on loopback; ``fault`` says in what way it misbehaves."""

    def __init__(self) -> None:
        outer = self
        self.fault, self.asked = None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/data"
        self.released = threading.Event()

    def answer(self, request) -> None:
        path = DATA / request.path.removeprefix("/data/")
        if self.fault == "silent":
            self.released.wait(PATIENCE)
            return
        if self.fault == "500" or not path.is_file():
            request.send_error(500 if self.fault == "500" else 404)
            return
        content = path.read_bytes()
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if self.fault == "tampered":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.fault == "truncated":
            content = content[: len(content) // 2]
        if self.fault == "slow":
            for start in range(0, len(content), 65_536):
                time.sleep(0.02)
                request.wfile.write(content[start : start + 65_536])
            return
        request.wfile.write(content)

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def no_clone(tmp_path, monkeypatch, server):
    """A package that lies where a wheel puts it: the manifest inside, no data beside; returns the cache."""
    package = tmp_path / "site-packages" / "gapkit"
    package.mkdir(parents=True)
    shutil.copy(DATA / "manifest.json", package)
    monkeypatch.setattr(_paths, "__file__", str(package / "_paths.py"))
    monkeypatch.delenv("GAPKIT_DATA", raising=False)
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GAPKIT_DATA_URL", server.address)
    return tmp_path / "cache"


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_when_it_is_first_asked_for_and_then_kept(no_clone, server):
    names = list_embeddings()
    assert "miniclip-wide/scenes100" in names
    assert server.asked == []  # the names are those of the manifest
    pairs = gapkit.load_embeddings("miniclip-wide/scenes100")
    assert server.asked == [f"/data/{SET}"]
    server.close()
    again = gapkit.load_embeddings("miniclip-wide/scenes100")
    assert (again.images == pairs.images).all()
    assert [name.split("/", 2)[2] for name in files_in(no_clone)] == [SET]


def test_a_model_is_its_two_files(no_clone, server):
    assert gapkit.load_model("miniclip-wide").name == "miniclip-wide"
    assert len(server.asked) == 2


def test_a_folder_comes_whole(no_clone, server):
    folder = shipped_folder("example_images/pairs")
    assert files_in(folder) == files_in(DATA / "example_images" / "pairs")
    with pytest.raises(InputError, match="ships no folder 'example'"):
        shipped_folder("example")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("500", "the server answers 500"),
        ("truncated", "broke off"),
        ("tampered", "not the published ones"),
        ("silent", "no answer"),
        ("absent", "no connection"),
        ("nothing there", "the server answers 404"),
    ],
)
def test_a_bad_server_is_one_line_that_says_what_to_do_and_leaves_nothing(
    no_clone, server, monkeypatch, fault, said
):
    usual = _paths.SECONDS_OF_SILENCE
    monkeypatch.setattr(_paths, "SECONDS_OF_SILENCE", 0.3 if fault == "silent" else PATIENCE)
    server.fault = fault
    if fault == "absent":
        monkeypatch.setenv("GAPKIT_DATA_URL", "http://127.0.0.1:1/nothing-listens")
    if fault == "nothing there":
        monkeypatch.setenv("GAPKIT_DATA_URL", server.address + "/elsewhere")
    with pytest.raises(InputError) as caught:
        shipped_file(SET)
    message = str(caught.value)
    assert said in message
    assert "gapkit fetch --shipped" in message and "GAPKIT_DATA" in message
    assert "\n" not in message
    assert files_in(no_clone) == []
    server.fault = None
    monkeypatch.setattr(_paths, "SECONDS_OF_SILENCE", usual)
    monkeypatch.setenv("GAPKIT_DATA_URL", server.address)
    assert shipped_file(SET).read_bytes() == (DATA / SET).read_bytes()


def test_a_slow_server_gets_the_time_it_needs(no_clone, server, monkeypatch):
    monkeypatch.setattr(_paths, "SECONDS_OF_SILENCE", 60)
    server.fault = "slow"
    assert shipped_file(SET).stat().st_size == (DATA / SET).stat().st_size


@pytest.mark.parametrize("address", ["no address at all", "file:///etc/passwd"])
def test_what_is_no_address_is_one_line(no_clone, monkeypatch, address):
    monkeypatch.setenv("GAPKIT_DATA_URL", address)
    with pytest.raises(InputError, match="cannot fetch"):
        shipped_file(SET)


def test_ctrl_c_during_a_download_leaves_nothing(no_clone, monkeypatch):
    import pooch

    def interrupted(self, url, output_file, pooch):
        Path(output_file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shipped_file(SET)
    assert files_in(no_clone) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(no_clone, server):
    path = shipped_file(SET)
    path.write_bytes(b"damaged")
    assert shipped_file(SET).read_bytes() == (DATA / SET).read_bytes()
    assert len(server.asked) == 2


def test_nothing_but_shipped_files_is_asked_for(no_clone, server):
    for name in ("../../secret", "manifest.json", "embeddings/none.safetensors"):
        with pytest.raises(InputError, match="ships no file"):
            shipped_file(name)
    assert server.asked == []


def test_everything_at_once_and_then_nothing_more(no_clone, server, capsys):
    with pytest.raises(SystemExit) as end:
        main(["fetch", "--shipped"])
    assert end.value.code == 0
    out, _ = capsys.readouterr()
    folder = Path(out.strip())
    listed = json.loads((DATA / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert [f"data/{name}" for name in files_in(folder)] == [entry["path"] for entry in listed]
    count = len(server.asked)
    assert count == len(listed)
    shipped_folder()
    assert len(server.asked) == count


def test_data_that_are_there_go_first(no_clone, server, monkeypatch):
    monkeypatch.setenv("GAPKIT_DATA", str(DATA))
    assert shipped_file(SET) == DATA / SET
    monkeypatch.delenv("GAPKIT_DATA")
    monkeypatch.setattr(_paths, "__file__", gapkit.__file__)
    assert shipped_file(SET) == DATA / SET
    assert server.asked == []


def test_the_command_of_maintainers_does_not_say_where_it_went(capsys):
    with pytest.raises(SystemExit) as end:
        main(["data", "check"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "work in a clone" in said
    assert "tools/data.py" in said


class Installed:
    """What pip has noted about an installed package."""

    version = "1.2.3"

    def __init__(self, direct_url) -> None:
        self.metadata = self
        self._direct_url = direct_url

    def get_all(self, name):
        return ["Repository, https://example.org/someone/gapkit/"] if name == "Project-URL" else None

    def read_text(self, name):
        return self._direct_url if name == "direct_url.json" else None


@pytest.mark.parametrize(
    ("direct_url", "at"),
    [
        (None, "v1.2.3"),
        ('{"url": "file:///x.whl", "archive_info": {}}', "v1.2.3"),
        ('{"url": "https://example.org", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}}', "0123abc"),
    ],
)
def test_the_address_is_the_repositorys_at_the_released_tag_or_at_the_commit_installed(
    monkeypatch, direct_url, at
):
    monkeypatch.delenv("GAPKIT_DATA_URL", raising=False)
    monkeypatch.setattr(_paths.importlib.metadata, "distribution", lambda _: Installed(direct_url))
    assert _paths.data_address() == f"https://example.org/someone/gapkit/raw/{at}/data/"


def test_the_repository_is_named_in_pyproject_alone(monkeypatch):
    import tomllib

    monkeypatch.delenv("GAPKIT_DATA_URL", raising=False)
    text = (DATA.parent / "pyproject.toml").read_text(encoding="utf-8")
    named = tomllib.loads(text)["project"]["urls"]["Repository"]
    assert named not in Path(_paths.__file__).read_text(encoding="utf-8")
    assert _paths.data_address().startswith(f"{named}/raw/")
