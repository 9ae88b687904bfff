"""Which pictures cost much to decode? Told from their first bytes, so that they wait for a place of their own."""

MAX_PIXELS = 12_000_000   # of a picture that is decoded beside others
MAX_MARKERS = 1_000       # of a JPEG that are looked at; photographs have some twenty
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}   # start of frame (ITU-T T.81, table B.1)
PLAIN = {0xC0, 0xC1}      # of these, baseline and extended sequential with Huffman codes
DEPTHS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}   # channels of a PNG by its colour type


def is_heavy(content):
    """Whether a picture (bytes) is large, progressive, or of a form whose cost its first bytes do not tell."""
    head = bytes(content[:2])
    if head == b"\xff\xd8":
        return _heavy_jpeg(content)
    if head == b"\x89P":
        return _heavy_png(content)
    return head in (b"II", b"MM", b"RI", b"BM")


def _heavy_jpeg(content):
    """Whether the frame of a JPEG is large or not sequential, or is not among its first markers."""
    at = 2
    for _ in range(MAX_MARKERS):
        if at + 9 >= len(content) or content[at] != 0xFF:
            return False   # damaged: refused at once
        marker = content[at + 1]
        if marker in FRAMES:
            height, width = (int.from_bytes(content[at + n:at + n + 2], "big") for n in (5, 7))
            return marker not in PLAIN or width * height > MAX_PIXELS
        if marker == 0xDA:
            return False
        at += 1 if marker == 0xFF else 2 + int.from_bytes(content[at + 2:at + 4], "big")
    return True


def _heavy_png(content):
    """Whether the pixels of a PNG take more bytes than those of a plain picture of MAX_PIXELS."""
    width, height = (int.from_bytes(content[n:n + 4], "big") for n in (16, 20))
    depth, colour = (content[24], content[25]) if len(content) > 25 else (8, 2)
    return width * height * max(3, DEPTHS.get(colour, 4) * depth / 8) > 3 * MAX_PIXELS
