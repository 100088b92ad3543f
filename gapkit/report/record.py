"""``claims.json``: what a replication found, what it rests on, and how to make it again."""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import gapkit
from gapkit.claims import Finding, overall
from gapkit.errors import InputError
from gapkit.experiments import Replication
from gapkit.experiments.sweep import code_hash

FORMAT = 1
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib")


def make_record(
    replication: Replication,
    findings: Sequence[Finding],
    *,
    command: str,
    mode: str,
    seed: int,
    times: dict | None = None,
) -> dict:
    """Everything as plain values; two runs with one seed differ in ``times`` alone.

    Parameters
    ----------
    replication : tables and results
    findings : as `gapkit.claims.decide` gives them
    command : the command line that does it again
    mode : "quick", "full" or "chosen"
    seed : of everything random
    times : when it ran and how long it took; the only part that changes from run to run
    """
    return {
        "format": FORMAT,
        "gapkit": gapkit.__version__,
        "command": command,
        "mode": mode,
        "seed": seed,
        "claims": [finding.as_dict() for finding in findings],
        "overall": overall(findings),
        "environment": environment(),
        "jobs": [
            {**asdict(result.job), "key": result.key, "data_sha256": result.data_hash}
            for result in replication.results
        ],
        "times": {
            **(times or {}),
            "jobs_seconds": [round(result.seconds, 3) for result in replication.results],
        },
    }


def environment() -> dict[str, str]:
    """Versions and the hash of the code that measured."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: _version(name) for name in LIBRARIES},
        "code_sha256": code_hash(),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def to_json(record: dict) -> str:
    """The record as the text of ``claims.json``."""
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(path: str | Path) -> dict:
    """A ``claims.json``, or the folder it lies in.

    Raises
    ------
    InputError
        If it is missing, is no such file, or comes from a newer version.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "claims.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise InputError(f"cannot read {path}: {fault.strerror or fault}") from fault
    except ValueError as fault:
        raise InputError(f"{path} is no claims.json: {fault}") from fault
    if not isinstance(record, dict) or not isinstance(record.get("claims"), list):
        raise InputError(f"{path} is no claims.json: it lists no claims")
    if record.get("format", 0) > FORMAT:
        raise InputError(
            f"{path} has format {record['format']}; this gapkit reads up to {FORMAT}. Upgrade gapkit"
        )
    for entry in record["claims"]:
        if not isinstance(entry, dict) or not {"id", "model", "verdict", "value", "interval"} <= set(entry):
            raise InputError(f"{path} is damaged: a claim lacks id, model, value, interval or verdict")
    return record


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command that is running, as one would type it."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return " ".join(["gapkit", *(f"'{a}'" if " " in a else a for a in given)])
