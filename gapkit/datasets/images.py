"""Images in order: from an array or from files, opened one by one when they are needed.

What is decoded is what was hashed: a sequence reads an image's bytes once (``read``), and makes the image of those very
bytes (``decode``), so that a file that is replaced between the two is noticed by its hash.

Whatever is wrong with a file, `open_image` raises `InputError` in one line: pictures come from
strangers, and decoders fail in a hundred ways.
"""

import contextlib
import functools
import hashlib
import io
import os
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from gapkit._files import check_regular, sha256_of
from gapkit.errors import InputError, refusing

FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe", ".pjpeg", ".pjp", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",), "GIF": (".gif",), "BMP": (".bmp", ".dib"), "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"), "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".j2c", ".jpf"), "HEIF": (".heic", ".heif", ".hif"),
}  # fmt: skip
"""What is decoded, by content whatever the file's name says: others, such as EPS, start programs. And its usual endings."""

MOST_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: a few bytes can claim to be gigabytes."""

MOST_WORK = 15 * MOST_PIXELS
"""Pixels of all scans of a JPEG together: each goes over the whole image, and a few bytes are enough for one."""
_SCAN = b"\xff\xda"

MOST_BYTES = 1 << 30
"""Larger files are refused: no image of `MOST_PIXELS` needs as many."""

MISSING = "missing"
"""The hash of a file that cannot be read."""

_BLOCK = 1 << 20  # pixels of a deep image that are converted at once


@functools.cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that the Pillow of this machine can decode; HEIF with the package pillow_heif."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def open_image(path: str | os.PathLike, content: bytes | None = None) -> Image.Image:
    """The image as 8-bit RGB, turned upright as its EXIF entry says; the first frame if there are several.

    Parameters
    ----------
    path : the file
    content : its bytes, if they have been read already

    Raises
    ------
    InputError
        If it is missing, truncated, no image in one of `FORMATS`, or has more than `MOST_PIXELS` pixels.
    """
    path, called = Path(path), shown(path)
    # Decoders raise nearly everything, SyntaxError and struct.error included.
    with refusing(Exception, before=f"cannot read {called} as an image: "), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd EXIF, and of sizes that we judge ourselves
        if content is None:
            check_regular(path)
            content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=formats()) as image:
            size, pixels = f"{image.width} x {image.height} pixels", image.width * image.height
            if pixels > MOST_PIXELS:
                raise InputError(f"{called} claims {size}; at most {MOST_PIXELS:,} are read")
            scans = content.count(_SCAN) if image.format in ("JPEG", "MPO") else 1
            if scans * pixels > MOST_WORK:
                work = f"{scans:,} scans of {size}, which would take long"
                raise InputError(f"{called} is a JPEG of {work}; at most {MOST_WORK:,} in all are read")
            image.load()
            converted = _as_rgb(image)
            ImageOps.exif_transpose(converted, in_place=True)
            return converted


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
    if not path.parts or "\0" in text or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise InputError(f"{where}: the path {name[:80]!r} leads out of the folder, or to no file in it")
    return str(path)


def path_in(folder: Path, name: str) -> Path:
    """Where ``name`` lies in ``folder``: macOS and others write the same letters in different code points."""
    path = folder / name
    if name.isascii() or os.path.lexists(path):
        return path
    here = folder
    for part in PurePosixPath(name).parts:
        if not os.path.lexists(here / part):
            try:
                alike = [entry for entry in os.listdir(here) if same_letters(entry) == same_letters(part)]
            except OSError:
                return path
            if len(alike) != 1:
                return path
            part = alike[0]
        here /= part
    return here


def same_letters(name: str) -> str:
    """A name in the code points that stand for all ways to write it (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if not image.mode.startswith(("I", "F")):
        return image.convert("RGB")
    mode = (
        "I;16" if image.mode == "I" and image.format == "PPM" else image.mode
    )  # PIL scales those to 16 bits
    converted = Image.fromarray(_eight_bits(np.asarray(image), mode)).convert("RGB")
    converted.info.update(image.info)
    return converted


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey of 16 bits and more in 8 bits, in blocks: PIL's own conversion clips at 255.

    White is 65535; of 32 bits whose largest is at most 255, that; of floats 1 or 255, with room for what
    resampling adds, and else the largest.
    """
    most = float(values.max(initial=0, where=np.isfinite(values)))
    top = max(65535.0, most)
    if mode == "I" and most <= 255:
        top = 255.0
    elif mode == "F":
        top = 1.0 if most <= 2 else 255.0 if 64 <= most <= 510 else most
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, _BLOCK // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        block = values[start : start + rows].astype(np.float64) / top
        grey[start : start + rows] = np.nan_to_num(np.clip(block, 0, 1)) * 255 + 0.5
    return grey


class HashedImages(Sequence):
    """Images that are made of the bytes that were hashed; what `ArrayImages` and `FileImages` share."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> Image.Image:
        return self.decode(row, self.read(row)[1])

    def fingerprint(self) -> str:
        """A hash of everything: reading it is cheap beside embedding it."""
        return self.hashes()[0]


def has_hashes(images: Sequence) -> bool:
    """Whether images are as `HashedImages` makes them, not as a class of somebody's own does."""
    kind, methods = type(images), ("__getitem__", "fingerprint")
    return all(getattr(kind, name, None) is getattr(HashedImages, name) for name in methods)


def _counted(count: int) -> tuple[str, ...]:
    return tuple(f"{i:05d}" for i in range(count))


class ArrayImages(HashedImages):
    """Images that lie in memory.

    Parameters
    ----------
    pixels : (n, height, width, 3) uint8
    names : n strings; counted when left out
    """

    def __init__(self, pixels: np.ndarray, names: Sequence | np.ndarray | None = None) -> None:
        pixels = np.asarray(pixels)
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8 or len(pixels) == 0:
            raise InputError(f"images must be (n, height, width, 3) uint8; got {pixels.dtype} {pixels.shape}")
        self.pixels = pixels
        self.names = tuple(map(str, names)) if names is not None else _counted(len(pixels))
        if len(self.names) != len(pixels):
            raise InputError(f"names must have {len(pixels)} entries; got {len(self.names)}")

    def read(self, row: int) -> tuple[str, bytes]:
        """The hash of an image's pixels, and the pixels."""
        content = self.pixels[row].tobytes()
        return hashlib.sha256(content).hexdigest(), content

    def part(self, rows: range, *, read: bool = False) -> "ArrayImages":
        """Some images as a sequence of their own, which can travel."""
        return ArrayImages(self.pixels[rows.start : rows.stop], self.names[rows.start : rows.stop])

    def decode(self, row: int, content: bytes) -> Image.Image:
        """The image that `read` has read."""
        return Image.fromarray(np.frombuffer(content, np.uint8).reshape(self.pixels.shape[1:]))

    def hashes(self) -> tuple[str, list[str]]:
        """The fingerprint, and the hash of each image as `read` gives it."""
        whole, each = hashlib.sha256(repr(self.pixels.shape).encode()), []
        if self.names != _counted(len(self)):  # of which older fingerprints did not know
            whole.update(repr(self.names).encode("utf-8", "surrogatepass"))
        for row in range(len(self)):
            digest, content = self.read(row)
            whole.update(content)
            each.append(digest)
        return whole.hexdigest(), each


class FileImages(HashedImages):
    """Images in files under one folder.

    Parameters
    ----------
    folder : where the paths start
    paths : relative paths; as they can be printed (see `shown`) they are the images' names
    contents : of each file what `read` has given, to be decoded where there are no such files
    """

    def __init__(
        self, folder: str | os.PathLike, paths: Sequence[str], contents: Sequence[tuple] | None = None
    ) -> None:
        self.folder, self.paths, self._contents = Path(folder), tuple(paths), contents
        # for another process, which may run elsewhere; messages say `folder`
        self._absolute = self.folder.absolute()
        self.names = tuple(shown(path) for path in self.paths)
        if not self.names:
            raise InputError(f"no images in {self.folder}")

    def read(self, row: int) -> tuple[str, bytes | None]:
        """The sha256 of a file, and its bytes; `MISSING` and None where it cannot be read."""
        if self._contents is not None:
            return self._contents[row]
        path = path_in(self._absolute, self.paths[row])
        try:
            if os.path.isfile(path) and os.path.getsize(path) <= MOST_BYTES:
                content = path.read_bytes()
                return hashlib.sha256(content).hexdigest(), content
        except OSError:
            return MISSING, None
        return self._hash(row), None

    def part(self, rows: range, *, read: bool = False) -> "FileImages":
        """Some images as a sequence of their own, with the files' bytes if they are to be ``read`` here."""
        contents = [self._sent(row) for row in rows] if read else None
        return FileImages(self.folder, self.paths[rows.start : rows.stop], contents)

    def _sent(self, row: int) -> tuple[str, bytes | str]:
        """What `read` gives; the reason in place of bytes that cannot be read."""
        digest, content = self.read(row)
        if content is None:
            try:
                self.decode(row, None)
            except InputError as fault:
                return digest, str(fault)
        return digest, content

    def decode(self, row: int, content: bytes | str | None) -> Image.Image:
        """The image of the bytes that `read` has read."""
        if isinstance(content, str):
            raise InputError(content)
        path, there = (path_in(where, self.paths[row]) for where in (self.folder, self._absolute))
        if content is None and os.path.isfile(there) and os.path.getsize(there) > MOST_BYTES:
            raise InputError(f"{shown(path)} has more than {MOST_BYTES:,} bytes; that is not a photograph")
        return open_image(path, content)

    def hashes(self) -> tuple[str, list[str]]:
        """The fingerprint, and the hash of each file as `read` gives it."""
        # TIFFs of 32 bits were read otherwise before
        since = b"2" if any(path.lower().endswith(FORMATS["TIFF"]) for path in self.paths) else b""
        whole, each = hashlib.sha256(since), [self._hash(row) for row in range(len(self))]
        for name, state in zip(self.paths, each, strict=True):
            whole.update(f"{name}\0{state}\n".encode("utf-8", "surrogatepass"))
        return whole.hexdigest(), each

    def _hash(self, row: int) -> str:
        path = path_in(self._absolute, self.paths[row])
        try:
            return sha256_of(path) if os.path.isfile(path) else MISSING  # a pipe would make us wait
        except OSError:
            return MISSING
