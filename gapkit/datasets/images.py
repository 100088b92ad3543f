"""Images in order: from an array or from files, opened one by one when they are needed.

Whatever is wrong with a file, `open_image` raises `InputError` in one line: pictures come from
strangers, and decoders fail in a hundred ways.
"""

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from gapkit._files import sha256_of, short_reason
from gapkit.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What is decoded, by content whatever the file's name says: others, such as EPS, start programs."""

MOST_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: a few bytes can claim to be gigabytes."""

_BLOCK = 1 << 20  # pixels of a deep image that are converted at once


def open_image(path: str | os.PathLike) -> Image.Image:
    """The image as 8-bit RGB, turned upright as its EXIF entry says; the first frame if there are several.

    Raises
    ------
    InputError
        If it is missing, truncated, no image in one of `FORMATS`, or has more than `MOST_PIXELS` pixels.
    """
    path, called = Path(path), shown(path)
    if not os.path.isfile(path):  # unlike Path's, it is False where a name is too long
        raise InputError(f"no file {called[:300]}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF, and of sizes that we judge ourselves
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise InputError(
                        f"{called} claims {image.width} x {image.height} pixels; at most {MOST_PIXELS:,} are read"
                    )
                image.load()
                converted = _as_rgb(image)
                ImageOps.exif_transpose(converted, in_place=True)
                return converted
    except InputError:
        raise
    except Exception as fault:  # decoders raise nearly everything, SyntaxError and struct.error included
        raise InputError(f"cannot read {called} as an image: {short_reason(fault, 150)}") from fault


def shown(path: str | os.PathLike) -> str:
    r"""A path as it can be printed and stored: bytes that are no UTF-8 are written as escapes.

    >>> shown("b" + chr(0xDCE9) + ".png")
    'b\\udce9.png'
    """
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def inner_path(name: str, where: str) -> str:
    """``name`` if it is a relative path that stays inside its folder."""
    text = name.replace("\\", "/")
    path = PurePosixPath(text)
    if not text or "\0" in text or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise InputError(f"{where}: the path {name[:80]!r} leads out of the folder")
    return str(path)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if not image.mode.startswith(("I", "F")):
        return image.convert("RGB")
    converted = Image.fromarray(_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    converted.info.update(image.info)
    return converted


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey of 16 bits and more in 8 bits, in blocks: PIL's own conversion clips at 255."""
    top = max(65535.0 if mode.startswith("I") else 1.0, float(values.max(initial=0)))
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, _BLOCK // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        block = values[start : start + rows].astype(np.float64) / top
        grey[start : start + rows] = np.nan_to_num(np.clip(block, 0, 1)) * 255 + 0.5
    return grey


class ArrayImages(Sequence):
    """Images that lie in memory.

    Parameters
    ----------
    pixels : (n, height, width, 3) uint8
    names : n strings; counted when left out
    """

    def __init__(self, pixels: np.ndarray, names: Sequence[str] | None = None) -> None:
        pixels = np.asarray(pixels)
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8 or len(pixels) == 0:
            raise InputError(f"images must be (n, height, width, 3) uint8; got {pixels.dtype} {pixels.shape}")
        self.pixels = pixels
        self.names = tuple(names) if names is not None else tuple(f"{i:05d}" for i in range(len(pixels)))
        if len(self.names) != len(pixels):
            raise InputError(f"names must have {len(pixels)} entries; got {len(self.names)}")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> Image.Image:
        return Image.fromarray(self.pixels[row])

    def fingerprint(self) -> str:
        """A hash of every pixel."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        for image in self.pixels:
            digest.update(np.ascontiguousarray(image))
        return digest.hexdigest()


class FileImages(Sequence):
    """Images in files under one folder.

    Parameters
    ----------
    folder : where the paths start
    paths : relative paths; as they can be printed (see `shown`) they are the images' names
    """

    def __init__(self, folder: str | os.PathLike, paths: Sequence[str]) -> None:
        self.folder, self.paths = Path(folder), tuple(paths)
        self.names = tuple(shown(path) for path in self.paths)
        if not self.names:
            raise InputError(f"no images in {self.folder}")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> Image.Image:
        return open_image(self.folder / self.paths[row])

    def fingerprint(self) -> str:
        """A hash of the files' names and bytes: reading them is cheap beside embedding them."""
        digest = hashlib.sha256()
        for name in self.paths:
            path = self.folder / name
            try:
                state = sha256_of(path) if os.path.isfile(path) else "missing"  # a pipe would make us wait
            except OSError:
                state = "missing"
            digest.update(f"{name}\0{state}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()
