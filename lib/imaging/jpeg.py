"""What a JPEG file holds, by its markers alone (ITU T.81), and a copy of it that is safe to decode.

Decoders walk through markers, metadata and scans as often as a file has them, so that a small file can cost minutes. Here
their number is bounded before a decoder sees them, in time that is linear in the size of the file.
"""

from dataclasses import dataclass

import numpy as np

from lib.imaging.refusals import Refused

SEGMENTS = 4_096     # in a file: cameras write about 20, an ICC profile or a depth map of 16 MiB adds 256
SCANS = 32           # in a picture: libjpeg writes 10, in CMYK 26; each costs a pass over all coefficients
LOOSE = 65_536       # bytes between segments that belong to none (fill bytes, padding); writers need none
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
DECODED = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}        # of these what libjpeg decodes: Huffman and arithmetic, 8 or 12 bit
PROGRESSIVE = {0xC2, 0xCA}
NEEDED = {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE} | FRAMES   # tables, JFIF and Adobe's colour transform; the rest is metadata
ALONE = {0x01, *range(0xD0, 0xD9)}              # markers without a length
BLOCK = 2**18        # bytes that are searched at a time


@dataclass(frozen=True)
class Jpeg:
    """`size` (width, height) as it is stored; `exif` is the block behind "Exif\\0\\0".

    `plain` are the bytes without metadata: what is decoded. `scans` are counted where a decoder would read them all.
    """

    size: tuple
    progressive: bool
    scans: int
    exif: bytes
    plain: bytes


def scan(data):
    """The Jpeg in bytes; Refused: too many segments, scans or loose bytes, not 8-bit, lossless, damaged markers."""
    view, kept, exif, frame, tables, at = memoryview(data), [b"\xff\xd8"], b"", None, False, 2
    for _ in range(SEGMENTS):
        marker, start, end = _segment(data, at)
        if marker == 0xDA:
            break
        tables |= marker == 0xC4
        if marker in FRAMES:
            frame = marker, bytes(view[start + 2:start + 8])
        if marker == 0xE1 and not exif and view[start + 2:start + 8] == b"Exif\0\0":
            exif = bytes(view[start + 8:end])
        if marker in NEEDED:
            kept += [bytes((0xFF, marker)), view[start:end]]
        at = end
    else:
        raise Refused("unreadable", f"the JPEG has more than {SEGMENTS} segments: save it anew")
    _check_frame(frame, tables)
    progressive = frame[0] in PROGRESSIVE
    size = int.from_bytes(frame[1][3:5], "big"), int.from_bytes(frame[1][1:3], "big")
    several = progressive or data[start + 2:start + 3] < frame[1][5:6]   # of all components: decoders stop after the first
    scans = _scans(data, end) if several else 1
    return Jpeg(size, progressive, scans, exif, b"".join([*kept, b"\xff\xda", view[start:]]))


def _segment(data, at):
    """The next marker from `at` on, and where its segment begins (with its length) and ends."""
    found = _marker(np.frombuffer(data, np.uint8, min(len(data), at + LOOSE + 3)), at)
    if found is None:
        loose = len(data) - at
        raise Refused("unreadable", f"the JPEG has more than {LOOSE} bytes that belong to no segment: save it anew"
                      if loose > LOOSE else "the JPEG is damaged: it ends before its pixels")
    marker, start = data[found + 1], found + 2
    if marker in ALONE:
        return marker, start, start
    if marker == 0xD9:
        raise Refused("unreadable", "the JPEG is damaged: it ends before its pixels")
    length = int.from_bytes(data[start:start + 2], "big")
    if length < 2 or start + length > len(data):
        raise Refused("unreadable", "the JPEG is damaged: a segment is longer than the file or has no length")
    return marker, start, start + length


def _marker(values, at, within=False):
    """Where the next marker stands: 0xFF before another byte than 0 and 0xFF; `within` a scan, no restart marker."""
    block = 2**10
    while at + 1 < len(values):
        part = values[at:at + block + 1]
        first = part[:-1] == 0xFF
        if 8 * np.count_nonzero(first) < len(first):   # as usual: look at the few alone
            where = np.flatnonzero(first)
            where = where[_is_marker(part[where + 1], within)]
        else:
            where = np.flatnonzero(first & _is_marker(part[1:], within))
        if len(where):
            return at + int(where[0])
        at += block
        block = min(2 * block, BLOCK)
    return None


def _is_marker(second, within):
    usual = (second != 0) & (second != 0xFF)
    return usual & ((second & 0xF8) != 0xD0) if within else usual


def _check_frame(frame, tables):
    """Refuse JPEGs of which decoders make grey or garbage: without a frame or Huffman tables, not 8-bit, lossless."""
    if frame is None or len(frame[1]) < 6:
        raise Refused("unreadable", "the JPEG is damaged: it has no frame header")
    if frame[0] not in DECODED or frame[1][0] != 8:
        raise Refused("not_a_picture", "a 12-bit or lossless JPEG; save it as a plain one")
    if frame[0] < 0xC9 and not tables:
        raise Refused("unreadable", "the JPEG is damaged: it has no Huffman tables")


def _scans(data, at):
    """The number of scans of a picture whose first one has its coded pixels from `at` on; Refused: too many."""
    values, scans = np.frombuffer(data, np.uint8), 1
    for _ in range(SEGMENTS):
        found = _marker(values, at, within=True)
        if found is None or data[found + 1] == 0xD9:
            return scans
        marker, start = data[found + 1], found + 2
        scans += marker == 0xDA
        if scans > SCANS:
            raise Refused("unreadable", f"the JPEG has more than {SCANS} scans: save it as a plain one")
        at = start if marker in ALONE else start + max(2, int.from_bytes(data[start:start + 2], "big"))
    raise Refused("unreadable", f"the JPEG has more than {SEGMENTS} segments: save it anew")
