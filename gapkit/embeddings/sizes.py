"""What is far larger in memory than on the disk is refused before it is read."""

from pathlib import Path

from gapkit.errors import InputError

LARGE, TOO_DENSE = 100_000_000, 100  # an archive of numbers that shrinks a hundredfold is a trap


def check_size(unpacked: int, path: Path) -> None:
    """Raise if what is to be read is far larger in memory than on the disk, taken together."""
    packed = max(path.stat().st_size, 1)
    if unpacked > LARGE and unpacked > TOO_DENSE * packed:
        raise InputError(f"{path} would unpack {unpacked:,} bytes from {packed:,}")
