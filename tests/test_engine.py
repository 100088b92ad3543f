import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gapkit import engine
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


def gapkit(folder, *arguments, **environment):
    """The command line, in a folder of its own."""
    settings = {
        **os.environ,
        "PYTHONPATH": str(cluster.ROOT),
        "GAPKIT_CACHE": str(folder / "cache"),
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "gapkit", *map(str, arguments)],
        cwd=folder, env=settings, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


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
        cluster.read, [(str(seen), sha256)], cluster=client, files=lambda task: [task]
    )
    assert (path, read) == (str(seen), content)
    sent = functools.partial(engine._send, client)
    elsewhere = ("/nowhere/data.bin", sha256)  # on workers; here it is read from where it lies
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_send", lambda _, path, sha256: sent(str(seen), sha256))
        ((_, (path, read)),) = engine.run(
            cluster.read, [elsewhere], cluster=client, files=lambda task: [task]
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
    assert not any(client.processing().values())


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


EMBED = (
    "embed",
    "local-dir:model",
    "folder",
    "--root",
    "pics",
    "--batch-size",
    "1",
    "--skip-unreadable",
    "--quiet",
)


def embedded(place, pictures, *options, **environment):
    shutil.copytree(pictures, place, dirs_exist_ok=True)
    done = gapkit(place, *EMBED, "--out", "out.safetensors", *options, **environment)
    assert done.returncode == 0, done.stderr
    return (place / "out.safetensors").read_bytes()


def test_the_commands_give_other_files_on_a_cluster(shared, client, pictures, tmp_path):
    alone = embedded(tmp_path / "alone", pictures)
    assert embedded(tmp_path / "shared", pictures, "--cluster", shared) == alone
    tables = []
    for name, options in {"alone": (), "shared": ("--cluster", shared)}.items():
        done = gapkit(tmp_path / name, "replicate", "--only", "gap", "--quiet", *options)
        assert done.returncode == 0, done.stderr
        tables.append((tmp_path / name / "results" / "tables" / "gap.csv").read_bytes())
    assert tables[0] == tables[1]


def test_images_and_models_that_workers_do_not_see_come_out_otherwise(
    client, pictures, tmp_path, monkeypatch
):
    from gapkit.encoders import batches
    from gapkit.encoders.embedding import embed

    monkeypatch.setattr(batches, "_seen", lambda *arguments: False)
    monkeypatch.chdir(pictures)
    from gapkit.datasets import load_dataset

    results = []
    for name, where in (("here", None), ("there", client)):
        monkeypatch.setenv("GAPKIT_CACHE", str(tmp_path / name))
        data = load_dataset("folder", root="pics")
        with pytest.warns(UserWarning, match="left out"):
            entries = embed("local-dir:model", data, batch_size=1, on_error="skip", cluster=where)
        results.append((entries.images.copy(), entries.metadata["skipped"]))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_a_scheduler_that_goes_is_no_single_line_and_loses_what_is_done(tmp_path, pictures):
    place = tmp_path / "run"
    shutil.copytree(pictures, place)
    with cluster.Processes() as processes:
        scheduler, address = processes.scheduler(tmp_path / "scheduler")
        processes.worker(tmp_path / "worker", address)
        command = [sys.executable, "-m", "gapkit", *EMBED, "--out", "out.safetensors", "--cluster", address]
        settings = {**os.environ, "PYTHONPATH": str(cluster.ROOT), "GAPKIT_CACHE": str(place / "cache")}
        with subprocess.Popen(command, cwd=place, env=settings, stderr=subprocess.PIPE, text=True) as run:
            shards = place / "cache" / "runs"
            assert wait_until(lambda: list(shards.glob("*/*.safetensors")))
            cluster.end(scheduler)
            _, said = run.communicate(timeout=PATIENCE)
    last = said.strip().splitlines()[-1]
    if run.returncode:  # unless it had finished before
        assert run.returncode == 2
        assert last.startswith("gapkit: the scheduler is gone")
        assert list(shards.glob("*/*.safetensors"))
    again = gapkit(place, *EMBED, "--out", "out.safetensors")  # and one machine finishes it
    assert again.returncode == 0, again.stderr
    assert (place / "out.safetensors").read_bytes() == embedded(tmp_path / "whole", pictures)


def test_a_worker_of_another_version_or_without_weights_is_let_in(tmp_path, pictures):
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
