"""What the first directory of a TIFF file claims (TIFF 6.0), looked at before a decoder loads it."""

from lib.imaging.refusals import Refused

UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}   # bytes of a value, by its type


def check(data):
    """Refuse a TIFF of several pages, or whose tags claim more bytes than the file has: decoders load all of them."""
    order = {b"II*\0": "little", b"MM\0*": "big"}[bytes(data[:4])]

    def number(start, length):
        return int.from_bytes(data[start:start + length], order)

    start = number(4, 4)
    count = number(start, 2)
    end = start + 2 + 12 * count
    if end > len(data):
        raise Refused("unreadable", "the TIFF is damaged: it is truncated")
    claimed = sum(UNITS.get(number(entry + 2, 2), 0) * number(entry + 4, 4) for entry in range(start + 2, end, 12))
    if claimed > len(data):
        raise Refused("unreadable", f"the TIFF is damaged: its tags claim {claimed} bytes and the file has {len(data)}")
    if number(end, 4):
        raise Refused("unreadable", "animated or of several pages: send one picture")
