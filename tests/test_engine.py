import dataclasses
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from gapkit import engine
from gapkit.cli.main import main
from gapkit.datasets import load_dataset
from gapkit.encoders import batches, load_model, loading
from gapkit.encoders.embedding import embed_to_file
from gapkit.encoders.shards import ShardFolder
from gapkit.errors import InputError
from tests import cluster
from tests.encoders.tiny import write_tiny
from tests.waiting import PATIENCE, wait_until

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="signals"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A scheduler and two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with cluster.Processes() as processes:
        _, address = processes.scheduler(folder / "scheduler")
        for name in ("a", "b"):
            processes.worker(folder / name, address)
        yield address


@pytest.fixture(scope="module")
def client(shared):
    with engine.connect(shared) as client:
        client.wait_for_workers(2)
        yield client


def test_a_cluster_gives_other_bits_or_more_threads_than_this_process(client):
    tasks = list(np.random.default_rng(0).random(9))
    with engine.limit_threads(1):
        here = list(engine.run(cluster.third, tasks))
    assert sorted(engine.run(cluster.third, tasks, cluster=client)) == here


def test_an_error_on_a_worker_is_another_one_here(client):
    with pytest.raises(InputError, match=r"^images must have shape \(n, d\); got \(512,\)$"):
        list(engine.run(cluster.refuse, range(4), cluster=client))


def test_a_killed_worker_loses_a_task(client, tmp_path):
    tasks = [(str(tmp_path / "died"), number) for number in range(6)]
    done = dict(engine.run(cluster.die_once, tasks, cluster=client))
    assert (tmp_path / "died").exists()
    assert done == dict(enumerate(range(6)))


def test_a_task_that_kills_three_workers_is_not_named(client):
    with pytest.raises(InputError, match=r"3 workers were killed one after the other while they did .*\b1\b"):
        list(engine.run(cluster.die_always, [0, 1], cluster=client))


def test_a_file_that_workers_do_not_see_does_not_travel(client, tmp_path):
    content = os.urandom(1000)
    sha256 = hashlib.sha256(content).hexdigest()
    seen = tmp_path / "here"
    seen.write_bytes(content)
    ((_, (path, read)),) = engine.run(
        cluster.read, [(str(seen), sha256)], cluster=client, pack=lambda task: (task, [task])
    )
    assert (path, read) == (str(seen), content)
    sent = functools.partial(engine._send, client)
    elsewhere = ("/nowhere/data.bin", sha256)  # on workers; here it is read from where it lies
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_send", lambda _, path, sha256: sent(str(seen), sha256))
        ((_, (path, read)),) = engine.run(
            cluster.read, [elsewhere], cluster=client, pack=lambda task: (task, [task])
        )
    assert path != str(seen) and read == content
    with pytest.raises(InputError, match="has changed meanwhile"):
        sent(str(seen), "0" * 64)


def test_what_is_interrupted_goes_on_running(client, shared, tmp_path):
    code = f"from gapkit import engine; from tests import cluster; list(engine.run(cluster.sleep, [{str(tmp_path / 'pid')!r}], cluster={shared!r}))"
    command = [sys.executable, "-c", f"import signal; signal.signal(2, signal.default_int_handler); {code}"]
    with subprocess.Popen(command, cwd=cluster.ROOT, stderr=subprocess.DEVNULL) as first:
        try:
            assert wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
            first.send_signal(signal.SIGINT)
            first.wait(timeout=PATIENCE)
        finally:
            first.kill()
    pid = int((tmp_path / "pid").read_text())
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert wait_until(lambda: not any(client.processing().values()))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / "pics" / name).mkdir(parents=True)
        for number in range(24):
            picture = Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8))
            picture.save(folder / "pics" / name / f"{number}.png")
    (folder / "pics" / "b" / "broken.png").write_bytes(b"no picture")
    write_tiny(folder / "model")
    return folder


EMBED = ("embed", "local-dir:model", "folder", "--root", "pics", "--batch-size", "1", "--skip-unreadable")


@pytest.fixture
def gapkit(monkeypatch, capfd):
    """The command line in a folder, with a cache of its own; returns what it wrote to (out, err)."""

    def call(folder, *arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("GAPKIT_CACHE", str(folder / "cache"))
        with warnings.catch_warnings(action="ignore"), pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        said = capfd.readouterr()
        assert ended.value.code == 0, said.err
        return said

    return call


@pytest.fixture(scope="module")
def alone(pictures):
    """What one process makes of the pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pictures)
        patch.setenv("GAPKIT_CACHE", str(pictures / "cache"))
        data = load_dataset("folder", root="pics")
        with pytest.warns(UserWarning, match="left out"):
            path = embed_to_file("local-dir:model", data, batch_size=1, on_error="skip")
        return path.read_bytes()


def test_embed_gives_another_file_on_a_cluster(shared, client, pictures, alone, gapkit, tmp_path):
    shutil.copytree(pictures / "model", tmp_path / "model")
    shutil.copytree(pictures / "pics", tmp_path / "pics")
    said = gapkit(tmp_path, *EMBED, "--quiet", "--out", "out.safetensors", "--cluster", shared)
    assert "dashboard: http://" in said.err
    assert (tmp_path / "out.safetensors").read_bytes() == alone


def test_a_worker_killed_half_way_changes_a_file(client, pictures, alone, tmp_path, monkeypatch):
    pids, written = client.run(os.getpid), []

    def write(*arguments):
        written.append(arguments)
        if len(written) == 2:
            os.kill(next(iter(pids.values())), signal.SIGKILL)
        whole(*arguments)

    whole = ShardFolder.write
    monkeypatch.setattr(ShardFolder, "write", write)
    monkeypatch.chdir(pictures)
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path))
    data = load_dataset("folder", root="pics")
    with pytest.warns(UserWarning, match="left out"):
        path = embed_to_file("local-dir:model", data, batch_size=1, on_error="skip", cluster=client)
    assert path.read_bytes() == alone
    assert wait_until(lambda: pids != client.run(os.getpid))


def test_replicate_and_measure_give_other_files_on_a_cluster_or_where_a_worker_is_killed_half_way(
    shared, client, gapkit, tmp_path, monkeypatch
):
    def kill_after_the_first(function, tasks, client, pack):
        pids = client.run(os.getpid)
        for number, result in enumerate(whole(function, tasks, client, pack)):
            if number == 0:
                busy = [pid for worker, pid in pids.items() if client.processing().get(worker)]
                killed.append((busy or [*pids.values()])[0])
                os.kill(killed[-1], signal.SIGKILL)
            yield result

    killed, whole, found = [], engine._on_cluster, []
    rng = np.random.default_rng(0)
    for name in ("images", "texts"):
        (tmp_path / name).mkdir()
        for number in range(2):
            np.save(tmp_path / name / f"{number}.npy", rng.standard_normal((150, 8), dtype=np.float32) + 1)
    measure = ("measure", "--images", "images/*.npy", "--texts", "texts/*.npy", "--intervals", "--json")
    for name, options in {
        "here": (),
        "there": ("--cluster", shared),
        "killed": ("--cluster", shared),
    }.items():
        if name == "killed":
            monkeypatch.setattr(engine, "_on_cluster", kill_after_the_first)
        gapkit(tmp_path, "replicate", "--only", "gap", "--quiet", "--out", name, *options)
        tables = {path.name: path.read_bytes() for path in (tmp_path / name / "tables").iterdir()}
        assert tables
        found.append((tables, gapkit(tmp_path, *measure, *options).out))
    assert found[0] == found[1] == found[2]
    assert json.loads(found[0][1])["n_gallery"] == 300
    assert len(killed) == 2
    assert wait_until(lambda: not {*killed} & {*client.run(os.getpid).values()})


def test_images_and_models_that_workers_do_not_see_come_out_otherwise(
    client, pictures, alone, tmp_path, monkeypatch
):
    unseen = tmp_path / "unseen"
    shutil.copytree(pictures, unseen)
    monkeypatch.setattr(batches, "_seen", lambda *arguments: False)
    path = unseen / "model" / "open_clip_model.safetensors"
    monkeypatch.setattr(
        batches,
        "model_files",
        lambda model: tuple((file.replace("unseen", "moved"), digest) for file, digest in files(model)),
    )
    files, send = loading.model_files, engine._send
    monkeypatch.setattr(
        engine, "_send", lambda client, file, digest: send(client, file.replace("moved", "unseen"), digest)
    )
    monkeypatch.chdir(unseen)
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path))
    data = load_dataset("folder", root="pics")
    assert path.is_file()
    with pytest.warns(UserWarning, match="left out"):
        path = embed_to_file("local-dir:model", data, batch_size=1, on_error="skip", cluster=client)
    assert path.read_bytes() == alone


def test_a_worker_without_weights_and_network_is_told_of_twice_or_waited_for(
    client, pictures, tmp_path, monkeypatch
):
    monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path))
    model = load_model(f"local-dir:{pictures / 'model'}")
    elsewhere = dataclasses.replace(model, name="hf-hub:nobody/nothing")
    with pytest.raises(InputError, match=r"^on a worker \(\S+\): cannot load hf-hub:nobody/nothing"):
        embed_to_file(
            elsewhere, load_dataset("folder", root=pictures / "pics"), on_error="skip", cluster=client
        )


def test_a_scheduler_that_goes_is_no_single_line_and_loses_what_is_done(tmp_path, pictures, alone, gapkit):
    for name in ("model", "pics"):
        shutil.copytree(pictures / name, tmp_path / name)
    command = [*EMBED, "--out", "out.safetensors", "--quiet"]
    with cluster.Processes() as processes:
        scheduler, address = processes.scheduler(tmp_path / "scheduler")
        processes.worker(tmp_path / "worker", address)
        code = f"from tests import cluster; cluster.embed_slowly({[*command, '--cluster', address]!r})"
        settings = {**os.environ, "PYTHONPATH": str(cluster.ROOT), "GAPKIT_CACHE": str(tmp_path / "cache")}
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, env=settings, stderr=subprocess.PIPE, text=True
        ) as run:
            shards = tmp_path / "cache" / "runs"
            assert wait_until(lambda: list(shards.glob("*/*.safetensors")))
            cluster.end(scheduler)
            (tmp_path / "gone").touch()
            _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 2
    assert said.strip().splitlines()[-1].startswith("gapkit: the scheduler is gone")
    assert list(shards.glob("*/*.safetensors"))
    gapkit(tmp_path, *command)  # and one machine finishes it
    assert (tmp_path / "out.safetensors").read_bytes() == alone


def test_a_worker_with_another_torch_is_let_in(tmp_path):
    other = tmp_path / "other.py"
    other.write_text("import torch\ntorch.__version__ = '1.2.3'\n")
    with cluster.Processes() as processes:
        _, address = processes.scheduler(tmp_path / "scheduler")
        processes.worker(tmp_path / "torch", address, "--preload", str(other), "--no-nanny")
        with pytest.raises(
            InputError, match=rf"has torch 1\.2\.3, here is {engine.about()['torch']}".replace("+", r"\+")
        ):
            list(engine.run(abs, [1], cluster=address))


def test_a_worker_with_another_gapkit_is_let_in(tmp_path):
    package = tmp_path / "old" / "gapkit"
    ignored = shutil.ignore_patterns("__pycache__", "templates", "*.js", "*.css")
    shutil.copytree(cluster.ROOT / "gapkit", package, ignore=ignored)
    start = (package / "__init__.py").read_text()
    (package / "__init__.py").write_text(start.replace(f'"{engine.gapkit.__version__}"', '"0.0.9"'))
    with cluster.Processes() as processes:
        _, address = processes.scheduler(tmp_path / "scheduler")
        processes.worker(tmp_path / "a", address, "--no-nanny", PYTHONPATH=str(package.parent))
        with pytest.raises(
            InputError, match=r"has gapkit 0\.0\.9 \(source \w+\), here is " + engine.gapkit.__version__
        ):
            list(engine.run(abs, [1], cluster=address))
