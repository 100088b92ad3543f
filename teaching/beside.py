"""Files of data that a student hands in beside the notebook."""

import shutil
import stat
from pathlib import Path

SUFFIXES = (".safetensors", ".npy", ".csv")
MAX_BYTES = 50 * 2**20
"""The most that is copied for one submission, in all."""


def copy_beside(folder: Path, to: Path) -> list[str]:
    """Copy the data files in ``folder`` to ``to``, in the order of their names, as long as there is room.

    Links, folders and files of other kinds stay behind: a link may show what is not the student's.

    Returns
    -------
    names of the data files that stayed behind because there are too many bytes
    """
    to.mkdir(parents=True, exist_ok=True)
    room, left = MAX_BYTES, []
    for path in sorted(folder.iterdir()):
        about = path.lstat()
        if path.suffix.lower() not in SUFFIXES or not stat.S_ISREG(about.st_mode):
            continue
        if about.st_size > room:
            left.append(path.name)
            continue
        room -= about.st_size
        shutil.copyfile(path, to / path.name, follow_symlinks=False)
    return left
