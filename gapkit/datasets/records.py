"""Reading other people's annotation files: every fault names the file and the entry."""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from gapkit.errors import InputError


def read_json(path: str | os.PathLike) -> Any:
    """What a JSON file holds."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as fault:
        raise InputError(f"{path} is no readable JSON: {' '.join(str(fault).split())[:120]}") from fault


def records_of(value: Any, where: str) -> list[dict]:
    """``value`` if it is a non-empty list of objects."""
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise InputError(f"{where} must be a non-empty list of objects")
    return value


def entry(record: dict, key: str, kind: type, where: str) -> Any:
    """``record[key]``, if it is of ``kind``."""
    value = record.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {key!r} must be {_KINDS[kind]}; got {str(value)[:60]!r}")
    return value


def inner_path(name: str, where: str) -> str:
    """``name`` if it is a relative path that stays inside its folder."""
    text = name.replace("\\", "/")
    path = PurePosixPath(text)
    if not text or "\0" in text or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise InputError(f"{where}: the path {name[:80]!r} leads out of the folder")
    return str(path)


_KINDS = {int: "a whole number", str: "a text", list: "a list", dict: "an object"}
