import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.memory import in_a_fresh_process, peak_growth
from gapkit.datasets.images import ArrayImages, FileImages, open_image
from gapkit.errors import InputError


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_16_bit_grey_keeps_its_shades(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    seen = np.asarray(open_image(save(tmp_path / "deep.png", Image.fromarray(ramp))))
    assert seen.shape == (16, 16, 3)
    assert np.abs(seen[..., 0].astype(int) - np.arange(256).reshape(16, 16)).max() <= 1


def test_exif_turns_the_image_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees to see it right
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0] = 255
    path = save(tmp_path / "turned.png", Image.fromarray(pixels), exif=exif)
    seen = np.asarray(open_image(path))
    assert seen.shape == (4, 2, 3)
    assert (seen[:, 1] == 255).all()
    assert (seen[:, 0] == 0).all()


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("int32", [0, 100, 200], [0, 100, 200]),
        ("int32", [0, 30_000, 65_535], [0, 117, 255]),
        ("int32", [0, 50_000, 100_000], [0, 128, 255]),
        ("float32", [0, 0.5, 1], [0, 128, 255]),
        ("float32", [0, 0.5, 0.6], [0, 128, 153]),
        ("float32", [-0.02, 0.5, 1.02], [0, 128, 255]),
        ("float32", [0, 100, 200], [0, 100, 200]),
        ("float32", [0, 100, 260], [0, 100, 255]),
        ("float32", [np.nan, 0.5, 1], [0, 128, 255]),
        ("float32", [np.nan, 100, 200], [0, 100, 200]),
        ("float32", [np.inf, 100, 200], [255, 100, 200]),
        ("float32", [-np.inf, 0.5, 1], [0, 128, 255]),
        ("float32", [0, 2048, 4096], [0, 128, 255]),
        ("float32", [0, 1.25, 2.5], [0, 128, 255]),
        ("float32", [0, 10, 20], [0, 128, 255]),
    ],
)
def test_numbers_of_32_bits_come_out_black_or_white(tmp_path, dtype, values, expected):
    Image.fromarray(np.array([values], dtype)).save(tmp_path / "a.tiff")
    assert np.asarray(open_image(tmp_path / "a.tiff"))[0].tolist() == [[grey] * 3 for grey in expected]


def test_a_dark_greymap_of_16_bits_comes_out_bright(tmp_path):
    (tmp_path / "dark.pgm").write_bytes(b"P5 2 1 65535\n" + bytes([0, 200, 0, 100]))
    assert np.asarray(open_image(tmp_path / "dark.pgm")).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"])
def test_every_colour_mode_becomes_rgb(tmp_path, mode):
    image = Image.new("RGB", (5, 3), (200, 30, 60)).convert("L" if mode in "IF" else "RGB")
    image = image.convert("P").convert("PA") if mode == "PA" else _converted(image, mode)
    path = save(tmp_path / "image.tif", image)
    assert open_image(path).mode == "RGB"
    assert open_image(path).size == (5, 3)


def _converted(image, mode):
    if mode == "LAB":
        return Image.merge("LAB", image.split())
    return image.convert(mode)


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    path = save(tmp_path / "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    assert open_image(path).getpixel((0, 0)) == (255, 0, 0)


def test_one_pixel_is_an_image(tmp_path):
    assert open_image(save(tmp_path / "dot.png", Image.new("RGB", (1, 1)))).size == (1, 1)


def png_that_claims(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(11_000, 11_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(width, height))
    with pytest.raises(InputError, match=r"bomb\.png"):
        open_image(path)


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "tif", "bmp"])
def test_truncated_images_are_one_clear_error(tmp_path, ending):
    rng = np.random.default_rng(0)
    path = save(tmp_path / f"cut.{ending}", Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=f"cannot read .*cut.{ending} as an image"):
        open_image(path)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\xff" * 40])
def test_what_is_no_image_is_one_clear_error(tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match="as an image"):
        open_image(path)


def test_no_other_program_is_started_for_an_image(tmp_path, monkeypatch):
    """PIL hands EPS to Ghostscript, whatever the file is called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gs").write_text(f"#!/bin/sh\ntouch '{tmp_path / 'called'}'\necho 10.0\n")
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # looked up at the first use only
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    with contextlib.suppress(Exception), Image.open(path) as image:
        image.load()
    assert (tmp_path / "called").exists(), "left to itself PIL starts it"
    (tmp_path / "called").unlink()
    EpsImagePlugin.gs_binary = None
    with pytest.raises(InputError, match="as an image"):
        open_image(path)
    assert not (tmp_path / "called").exists()


def _opened(path):
    Image.init()
    return peak_growth(lambda: open_image(path))


def test_deep_images_need_little_more_memory_than_their_pixels(tmp_path):
    side = 3000
    ramp = np.linspace(0, 65535, side).astype(np.uint16)
    path = save(tmp_path / "deep.png", Image.fromarray(np.tile(ramp, (side, 1))))
    pixels = side * side / 2**20
    grown = in_a_fresh_process(_opened, path)
    assert pixels < grown < 12 * pixels, "float64 alone would be 8 bytes a pixel, several times over"


def test_folders_pipes_and_missing_files_are_no_images(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    for name in ("missing.png", ".", "pipe.png"):
        with pytest.raises(InputError, match="no file"):
            open_image(tmp_path / name)


@settings(max_examples=200)
@given(
    ending=st.sampled_from(["jpeg", "png", "gif", "webp", "tiff", "bmp", "ppm"]),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
)
def test_damaged_images_open_or_raise_input_error_and_nothing_else(tmp_path, ending, changes):
    buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(buffer, ending)
    content = bytearray(buffer.getvalue())
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path = tmp_path / f"image.{ending}"
    path.write_bytes(content)
    try:
        assert open_image(path).mode == "RGB"
    except InputError as fault:
        assert "\n" not in str(fault)  # noqa: PT017


def test_fingerprints_change_with_the_pixels_and_with_the_files(tmp_path):
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    first = ArrayImages(pixels).fingerprint()
    assert ArrayImages(pixels.copy()).fingerprint() == first
    pixels[1, 3, 3, 2] = 1
    assert ArrayImages(pixels).fingerprint() != first
    path = save(tmp_path / "a.png", Image.new("RGB", (4, 4)))
    files = FileImages(tmp_path, ["a.png"])
    before = files.fingerprint()
    assert FileImages(tmp_path, ["a.png"]).fingerprint() == before
    save(path, Image.new("RGB", (4, 5)))
    assert files.fingerprint() != before
    save(path, Image.new("RGB", (4, 4)))
    assert files.fingerprint() == before
    path.unlink()
    assert "a.png" in files.names
    assert files.fingerprint() != before


@pytest.mark.parametrize(
    "pixels", [np.zeros((0, 4, 4, 3), np.uint8), np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4, 3))]
)
def test_arrays_of_another_form_are_refused(pixels):
    with pytest.raises(InputError, match="uint8"):
        ArrayImages(pixels)


def test_files_that_differ_in_their_bytes_alone_have_other_fingerprints(tmp_path):
    prints = []
    for shade in (10, 200):
        path = tmp_path / str(shade) / "a.bmp"
        path.parent.mkdir()
        save(path, Image.new("RGB", (4, 4), (shade,) * 3))
        os.utime(path, (315532800, 315532800))  # as archives and cameras without a clock do
        prints.append(FileImages(path.parent, ["a.bmp"]).fingerprint())
    assert prints[0] != prints[1]
