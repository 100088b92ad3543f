"""What a submission cannot reach: each attack fails, and the kernel it came from still works or is ended."""

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from teaching import confine
from teaching.student import Limits, StudentGone, StudentKernel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(confine.why_not()), reason=confine.why_not()),
]
LIMITS = Limits(cell=60.0, total=600.0, memory=512 * 2**20)  # of time as much as any machine takes


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder of the instructor's, and a course that lies in the middle of what a submission may read."""
    place = tmp_path_factory.mktemp("outside")
    (place / "secret.txt").write_text("ANSWERS")
    return place


@pytest.fixture(scope="module")
def student(outside):
    course = confine.data_folder() / f".course-{os.getpid()}"
    course.mkdir()
    (course / "A1.ipynb").write_text("SOLUTION")
    with StudentKernel(limits=LIMITS, hidden=[course, outside]) as kernel:
        kernel.course = course
        yield kernel
    (course / "A1.ipynb").unlink()
    course.rmdir()


def test_a_python_behind_links_from_elsewhere_is_not_found(tmp_path, monkeypatch):
    first, second = tmp_path / "first" / "python", tmp_path / "second" / "python"
    for link, target in ((second, Path(sys.executable).resolve()), (first, Path("..", "second", "python"))):
        link.parent.mkdir()
        link.symlink_to(target)
    monkeypatch.setattr(sys, "executable", str(first))
    sandbox = confine.start(["-c", "print(6 * 7)"], files={}, hidden=[], readable=[], confined=True)
    assert sandbox.process.communicate()[0] == b"42\n"
    sandbox.end()


def said(student, source):
    """What a cell prints, or the error it ends in."""
    try:
        shown = student.run_cell(source)
    except StudentGone:
        return "GONE"
    return "".join(output.get("text", output.get("evalue", "")) for output in shown)


def still_works(student):
    return said(student, "print(6 * 7)").strip() == "42"


def test_native_chmod_and_chown_reach_a_file_outside(student, outside):
    path = outside / "secret.txt"
    before = path.stat()
    said(
        student,
        f"import ctypes\nc = ctypes.CDLL(None)\nprint(c.chmod({str(path).encode()!r}, 0o777), c.chown({str(path).encode()!r}, 1, 1))",
    )
    said(student, "print(c.chmod(b'/usr/bin/env', 0), c.chmod(b'/proc/1/root', 0))")
    after = path.stat()
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
    assert os.access("/usr/bin/env", os.X_OK)
    assert still_works(student)


def test_another_process_can_be_limited_or_signalled(student):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        limit = f"import resource, os\ntry:\n    resource.prlimit({sleeper.pid}, resource.RLIMIT_CPU, (1, 1))\n    print('done')\nexcept OSError as fault:\n    print(fault)"
        assert "No such process" in said(student, limit)
        assert "No such process" in said(
            student,
            limit.replace(
                f"resource.prlimit({sleeper.pid}, resource.RLIMIT_CPU, (1, 1))", f"os.kill({sleeper.pid}, 9)"
            ),
        )
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_unix_socket_or_a_datagram_arrives(student, outside, monkeypatch):
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        monkeypatch.chdir(outside)  # the name of a UNIX socket must be short
        server.bind("s")
        server.listen()
        server.settimeout(0.2)
        datagrams.bind(("127.0.0.1", 0))
        datagrams.settimeout(0.2)
        attack = (
            "import socket\n"
            f"try:\n    socket.socket(socket.AF_UNIX).connect({str(outside / 's')!r})\nexcept OSError as fault:\n    print(fault)\n"
            f"try:\n    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {datagrams.getsockname()[1]}))\nexcept OSError as fault:\n    print(fault)\n"
        )
        assert "No such file" in said(student, attack)
        with pytest.raises(TimeoutError):
            server.accept()
        with pytest.raises(TimeoutError):
            datagrams.recv(10)


def test_a_terminal_can_be_typed_into(student):
    source = (
        "import fcntl, os, termios\n"
        "for name in ('/dev/tty', '/dev/console', '/proc/self/fd/0', '/proc/1/fd/0'):\n"
        "    try:\n        fcntl.ioctl(os.open(name, os.O_RDWR), termios.TIOCSTI, b'x')\n        print('typed')\n"
        "    except OSError as fault:\n        print(fault)\n"
    )
    answer = said(student, source)
    assert "typed" not in answer
    assert len(answer.splitlines()) == 4


def test_many_files_and_deep_folders_outlive_the_submission():
    with StudentKernel(limits=LIMITS) as student:
        said(student, "for i in range(20_000):\n    open(f'f{i}', 'w').close()")
        deep = "import os\nfor i in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\nprint(i)"
        assert said(student, deep).strip() == "1499"
        assert still_works(student)
        home = student._sandbox.home
        assert len(list(home.glob("f*"))) == 20_000
    assert not home.exists()


def test_the_disk_and_shared_memory_fill_up(student):
    fill = (
        "import os\nn = 0\n"
        "try:\n    for i in range(100):\n        with open(os.path.join({where!r}, f'x{{i}}'), 'wb') as file:\n            n += file.write(bytes(2**25))\n"
        "except OSError:\n    pass\nfor i in range(100):\n    p = os.path.join({where!r}, f'x{{i}}')\n    os.path.exists(p) and os.remove(p)\nprint(n >> 20)"
    )
    for where, most in (("/dev/shm", 64), ("/tmp", 64), (".", 256)):
        assert 0 < int(said(student, fill.format(where=where))) <= most
    assert "Read-only" in said(student, "open('/x', 'w')")


def test_shared_memory_is_left_behind(student):
    """Looked for by a key and a name of this run: other programs come and go."""
    key, name = 0x6A000000 + os.getpid(), f"left-{os.getpid()}"

    def keys():
        rows = Path("/proc/sysvipc/shm").read_text(encoding="utf-8").splitlines()[1:]
        return {int(row.split()[0]) for row in rows}

    source = f"import ctypes\nc = ctypes.CDLL(None)\nprint(c.shmget({key}, 4096, 0o1666))\nopen('/dev/shm/{name}', 'w').close()"
    assert int(said(student, source)) >= 0
    assert key not in keys()
    assert not Path("/dev/shm", name).exists()


def test_a_reply_of_64_mib_is_taken():
    with StudentKernel(limits=LIMITS) as student:
        student.run_cell(
            "import numpy as np\ndef big():\n    return np.zeros(2**23)\ndef small():\n    return 1"
        )
        with pytest.raises(ValueError, match="too large"):
            student.call("big", (), {})
        forged = (
            "import teaching.inside.calls as calls\nclass Big:\n"
            "    def _repr_mimebundle_(self, **_):\n        return {calls.MIME: 'A' * (80 * 2**20)}\n"
            "calls.ask = lambda text: Big()"
        )
        student.run_cell(forged)
        with pytest.raises((StudentGone, ValueError, RuntimeError, MemoryError)):
            student.call("small", (), {})


def test_the_sources_are_seen_wherever_the_course_lies(student, outside):
    look = "import os\nprint([name for folder, _, names in os.walk({0!r}) for name in names])"
    assert said(student, look.format(str(student.course))).strip() == "[]"
    assert said(student, look.format(str(outside))).strip() == "[]"
    repository = Path(__file__).parents[2]
    seen = said(student, f"import os\nprint(sorted(os.listdir({str(repository)!r})))")
    interpreter = Path(sys.prefix)  # the virtual environment of `make`, where it lies in the clone
    needed = (
        {interpreter.relative_to(repository).parts[0]} if interpreter.is_relative_to(repository) else set()
    )
    assert set(ast.literal_eval(seen)) == {"data", "gapkit", "teaching"} | needed
    assert "judge.py" not in said(student, look.format(str(repository / "teaching")))


def test_the_environment_of_the_first_process_holds_anything(student, monkeypatch):
    assert said(student, "print(repr(open('/proc/1/environ').read()))").strip() in ("''", '""')
    monkeypatch.setenv("TOKEN", "SECRET")
    with StudentKernel(limits=LIMITS) as other:
        assert "SECRET" not in said(other, "import os\nprint(os.environ, open('/proc/1/environ').read())")


def test_capabilities_are_left_or_can_be_won(student):
    status = said(student, "print(open('/proc/self/status').read())")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{name}:\t0000000000000000" in status
    assert int(said(student, "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))")) == -1


def test_sleeping_is_without_end():
    """Naps that are each within a cell's limits use the total up, a part of the clock at a time."""
    with StudentKernel(limits=Limits(cell=40.0, total=3.0, patience=2.0)) as student:
        napped = []
        with pytest.raises(StudentGone):
            for nap in range(60):
                student.run_cell("import time\ntime.sleep(0.5)")
                napped.append(nap)
        assert napped
        assert {fault.kind for fault in student.faults} <= {"time"}


def test_a_program_that_ends_takes_the_other_answers_with_it():
    with StudentKernel(limits=LIMITS) as student:
        student.run_cell("kept = 7")
        student.cell = "bad"
        with pytest.raises(StudentGone):
            student.run_cell("import os\nos._exit(3)")
        assert student.value("kept") == 7
        assert [(fault.kind, fault.cell) for fault in student.faults] == [("exit", "bad")]


def test_without_the_sandbox_the_same_kernel_runs():
    with StudentKernel(limits=LIMITS, confined=False) as student:
        home = student._sandbox.home
        assert still_works(student)
        assert home.is_dir()
    assert not home.exists()
