"""What a PNG file holds, by its chunks alone (PNG, third edition), and a copy of it that is safe to decode."""

import zlib
from dataclasses import dataclass

from lib.imaging.refusals import Refused

CHUNKS = 20_000      # in a file; one of 32 MiB in the usual pieces has 4,096
UNPACKED = 4 * 2**20 # bytes that its compressed texts and colour profile grow to; profiles of printers have 2 MiB
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")   # the rest is metadata


PACKED = (b"zTXt", b"iTXt", b"iCCP")


@dataclass(frozen=True)
class Png:
    """`size` (width, height) as it is stored; `exif` is the block of the chunk eXIf, `plain` the bytes without metadata."""

    size: tuple
    exif: bytes
    plain: bytes


def scan(data):
    """The Png in bytes; Refused: cut off, a wrong checksum, too many chunks, metadata that grows beyond bounds, animated,
    a palette picture without its palette.

    Decoders skip the checksums of the pixels and do not miss the end.
    """
    at, view, kept, exif, kinds, room = 8, memoryview(data), [bytes(data[:8])], b"", set(), UNPACKED
    for _ in range(CHUNKS):
        end = at + 12 + int.from_bytes(view[at:at + 4], "big")
        if end > len(data):
            raise Refused("unreadable", "the PNG is damaged: it is truncated")
        if zlib.crc32(view[at + 4:end - 4]) != int.from_bytes(view[end - 4:end], "big"):
            raise Refused("unreadable", "the PNG is damaged: a checksum is wrong")
        kind = bytes(view[at + 4:at + 8])
        kinds.add(kind)
        if kind == b"eXIf" and not exif:
            exif = bytes(view[at + 8:end - 4])
        if kind == b"acTL" and int.from_bytes(view[at + 8:at + 12], "big") > 1:
            raise Refused("unreadable", "animated or of several pages: send one picture")
        room -= _unpacked(kind, bytes(view[at + 8:end - 4]), room) if kind in PACKED else 0
        if kind in NEEDED:
            kept.append(view[at:end])
        at = end
        if kind == b"IEND":
            break
    else:
        raise Refused("unreadable", f"the PNG has more than {CHUNKS} chunks: save it anew")
    if data[25] == 3 and b"PLTE" not in kinds:
        raise Refused("unreadable", "the PNG is damaged: it has no palette")
    return Png((int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")), exif, b"".join(kept))


def _unpacked(kind, body, room):
    """The number of bytes that a chunk of compressed metadata grows to; Refused: more than `room`."""
    rest = body.partition(b"\0")[2]
    packed = rest[1:]
    if kind == b"iTXt":
        packed = rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else b""
    try:
        grown = len(zlib.decompressobj().decompress(packed, room + 1))
    except zlib.error:
        return 0   # damaged metadata must not lose a good picture
    if grown > room:
        raise Refused("unreadable", f"the PNG has texts or a profile of more than {UNPACKED} bytes: save it without metadata")
    return grown
