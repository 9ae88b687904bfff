"""The orientation in a block of EXIF (TIFF 6.0, tag 274), read alone: other tags can claim any number of bytes."""

ORIENTATION, SHORT = 0x0112, 3
TAGS = 4_096         # that are looked through


def orientation(block):
    """The EXIF orientation 1 … 8 in a block (bytes from its byte order mark on); 1 where there is none that makes sense."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(bytes(block[:4]))
    if order is None:
        return 1
    start = int.from_bytes(block[4:8], order)
    for number in range(min(int.from_bytes(block[start:start + 2], order), TAGS)):
        entry = block[start + 2 + 12 * number:start + 14 + 12 * number]
        if len(entry) == 12 and int.from_bytes(entry[:2], order) == ORIENTATION:
            value = int.from_bytes(entry[8:10], order) if int.from_bytes(entry[2:4], order) == SHORT else 1
            return value if 1 <= value <= 8 else 1
    return 1
