"""The one door for pictures: what a file costs is bounded before it is decoded, and what is costly is said."""

import io
import subprocess
import sys
import time

import corpus
import numpy as np
import pytest
from conftest import turned_upright
from PIL import Image

from lib.imaging import exif, images, jpeg

MIB = 2**20
JPEG = corpus.jpeg()
SCAN = JPEG.index(b"\xff\xda") + 14
LONG = {   # 32 MiB each, of what a scanner of markers likes least
    "fill bytes": corpus.after_start(JPEG, b"\xff" * (32 * MIB - len(JPEG))),
    "fill bytes in a scan": corpus.jpeg(progressive=True) + b"\xff" * (31 * MIB),
    "escaped bytes in a scan": corpus.jpeg(progressive=True)[:-2] + b"\xff\x00" * (15 * MIB),
    "restart markers in a scan": corpus.jpeg(progressive=True)[:-2] + b"\xff\xd0" * (15 * MIB),
    "segments": corpus.after_start(JPEG, corpus.segment(0xFE, b"") * (7 * MIB)),
    "segments between scans": corpus.jpeg(progressive=True)[:-2] + corpus.segment(0xFE, b"") * (7 * MIB),
    "scans": corpus.jpeg(progressive=True)[:-2] + corpus.segment(0xDA, b"") * (7 * MIB),
    "frames": corpus.after_start(JPEG, corpus.header(640, 480) * MIB),
    "EXIF": corpus.after_start(JPEG, corpus.segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 500),
}


@pytest.mark.parametrize("name", LONG)
def test_a_file_is_examined_in_a_time_that_its_length_bounds(name):
    begun = time.process_time()
    try:
        images.examine(LONG[name])
    except images.Refused as refused:
        assert refused.code == "unreadable"
    assert time.process_time() - begun < 0.3   # 50 ms alone


@pytest.mark.parametrize("name, number", [("300 scans", jpeg.SCANS), ("a million empty segments", jpeg.SEGMENTS),
                                          ("8 MiB of fill bytes", jpeg.LOOSE)])
def test_a_refusal_names_the_limit(name, number):
    with pytest.raises(images.Refused, match=f"more than {number}"):
        images.read(corpus.bombs()[f"JPEG of {name}"])


@pytest.mark.parametrize("data", [
    corpus.jpeg(progressive=True), corpus.ycck(), corpus.scans(jpeg.SCANS - 10),
    corpus.after_start(JPEG, corpus.segment(0xE2, bytes(60_000)) * 500),           # 30 MiB of a depth map
    corpus.after_start(JPEG, b"\xff" * 100 + bytes(1000)),                         # padding
    corpus.jpeg(restart_marker_rows=1)])
def test_what_cameras_and_editors_write_is_taken(data):
    assert images.read(data).pixels.shape[2] == 3


def test_pixels_are_those_that_the_decoder_makes_of_the_whole_file():
    for data in corpus.odd().values():
        if data.startswith(b"\xff\xd8"):
            try:
                found = images.read(data).pixels
            except images.Refused:
                continue
            assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_large_and_progressive_pictures_are_costly():
    large = corpus.png_of(4001, 3001, colour=0, data=corpus.zeros(4002 * 3001))
    assert [images.examine(data).costly for data in (JPEG, corpus.png(), corpus.jpeg(progressive=True), large)] == [
        False, False, True, True]


PEAK = """
import re, sys
from lib.imaging import images
def peak():   # ru_maxrss begins with that of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
images.read(open(sys.argv[1], "rb").read())   # what is loaded at the first picture does not count
before = peak()
images.read(open(sys.argv[2], "rb").read())
print(peak() - before)
"""


@pytest.mark.parametrize("depth, colour, channels", [(16, 6, 4), (8, 6, 4), (16, 0, 1), (16, 2, 3), (8, 4, 2)])
def test_a_decode_takes_at_most_nine_bytes_a_pixel(tmp_path, depth, colour, channels):
    """16-bit RGBA took 23; two pictures of 49 megapixels and 381 kB together 2.2 GB."""
    width, height = 4000, 3000
    (tmp_path / "small").write_bytes(corpus.png())
    (tmp_path / "large").write_bytes(corpus.png_of(width, height, depth, colour,
                                                   corpus.zeros((width * channels * depth // 8 + 1) * height)))
    done = subprocess.run([sys.executable, "-c", PEAK, tmp_path / "small", tmp_path / "large"], capture_output=True, text=True)
    assert int(done.stdout) * 1024 < 9 * width * height, done.stderr


@pytest.mark.parametrize("orientation", range(1, 9))
def test_strips_are_turned_as_the_whole(orientation, monkeypatch):
    monkeypatch.setattr(images, "STRIP", 320 * 7)   # strips of 7 rows
    image = corpus.half_transparent()
    block = Image.Exif()
    block[0x0112] = orientation
    found = images.read(corpus.saved(image, "PNG", exif=block)).pixels
    assert np.array_equal(found, turned_upright(np.asarray(corpus.over_white()), orientation)) and found.flags.c_contiguous


@pytest.mark.parametrize("block, value", [
    (b"", 1), (b"II*\0", 1), (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 6),
    (b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0", 8), (b"II*\0\xff\xff\xff\xff", 1),
    (b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0", 1), (b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0", 1)])
def test_orientation_is_read_from_its_tag_alone(block, value):
    assert exif.orientation(block) == value


def test_an_orientation_in_xmp_alone_is_not_followed():
    packet = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/' tiff:Orientation=\"6\"/>"
    data = corpus.after_start(JPEG, corpus.segment(0xE1, packet))
    assert images.orientation(data) == 1 and images.read(data).size == corpus.SIZE


def test_heic_is_read_where_the_library_is_installed_and_said_where_not(monkeypatch):
    heic = corpus.odd()["HEIC"]
    with pytest.raises(images.Refused, match="convert it to JPEG"):
        images.read(heic)
    monkeypatch.setattr(images, "reads_heif", lambda: False)
    with pytest.raises(images.Refused, match="pillow-heif is installed"):
        images.read(heic, formats=images.KINDS)


def test_every_suffix_has_a_format_and_every_format_a_suffix():
    assert set(images.SUFFIXES.values()) == set(images.KINDS)
    assert images.suffix("JPEG") == ".jpg" and images.suffix("TIFF") == ".tif"
