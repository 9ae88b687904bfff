"""Pictures that should be refused, and odd ones that should not: made here, seeded, nothing downloaded.

`expected.json` says of each what must come of it: null (taken) or the code it is refused with, the same through the
API and notebook 01. A picture that is taken and has a `twin` must give the same corners as that plain RGB one. Every
bug that is found adds a case; none is ever removed.

    G1  no picture      G2  damaged           G3  bombs
    G4  odd but right   G5  turned, metadata  G6  strange to look at
"""

import base64
import gzip
import io
import json
import pickle
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from lib.synthetic import coreboxes

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
SIZE = 320, 240


def cases(groups="G1 G2 G3 G4 G5 G6"):
    """{name: bytes} of the groups."""
    makers = {"G1": no_pictures, "G2": damaged, "G3": bombs, "G4": odd, "G5": turned, "G6": strange}
    return {f"{group} {name}": data for group in groups.split() for name, data in makers[group]().items()}


def twins():
    """{name: (bytes, bytes of the plain twin)} of the cases that must give their twin's corners."""
    grey, plain, white = png(scene().convert("L").convert("RGB")), png(scene()), png(over_white())
    found = {"G4 grey": grey, "G4 grey with alpha": grey, "G4 palette": png(few_colours().convert("RGB")), "G4 half transparent": white,
             "G4 16-bit grey": grey, "G4 CMYK": plain, "G4 YCCK": plain, "G4 progressive": plain,
             "G4 4:1:1": plain, "G4 4:4:4": plain, "G4 garbage colour profile": plain, "G4 gamma": plain,
             "G4 interlaced": plain, "G2 bytes after the end": plain, "G2 ZIP after the end": plain,
             **{f"G5 orientation {value}": plain for value in range(1, 9)},
             **{f"G5 {name}": plain for name in ("orientation 9", "orientation 0", "orientation as text", "EXIF cut",
                                                 "EXIF with a loop", "GPS", "long EXIF with a script")}}
    data = cases("G2 G4 G5")
    return {name: (data[name], twin) for name, twin in found.items() if name in data}


# --- what the cases are made of


def scene(seed=0, size=SIZE):
    """A smooth coloured picture: what a network sees of it does not hang on single pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def saved(image, kind, **how):
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def png(image=None, **how):
    return saved(image or scene(), "PNG", **how)


def jpeg(image=None, **how):
    return saved(image or scene(), "JPEG", **{"quality": 95, **how})


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, depth=8, colour=2, data=b"", before=(), after=(), interlace=0):
    """A PNG from its header and its compressed bytes, whether they fit each other or not."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *before, chunk(b"IDAT", data), *after,
                     chunk(b"IEND", b"")])


def zeros(size):
    """Compressed zero bytes, `size` of them, made in little memory."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(min(2**20, size - at))) for at in range(0, size, 2**20)]
    return b"".join(pieces) + packer.flush()


def insert(data, extra, before=b"IDAT"):
    """A PNG with further chunks before its first one of a kind."""
    at = data.index(before) - 4
    return data[:at] + extra + data[at:]


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def without(data, marker):
    """A JPEG less its segments of a kind."""
    kept, at = [data[:2]], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        kept += [data[at:end]] if data[at + 1] != marker else []
        at = end
    return b"".join(kept) + data[at:]


def header(width, height, components=3):
    """A JPEG's start of frame."""
    return segment(0xC0, struct.pack(">BHHB", 8, height, width, components)
                   + b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1)))


def replaced(data, frame):
    """A JPEG with another start of frame."""
    at = data.index(b"\xff\xc0")
    return data[:at] + frame + data[at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]:]


def after_start(data, extra):
    """A JPEG with further segments behind its first two bytes."""
    return data[:2] + extra + data[2:]


def flipped(data, count, start):
    content = bytearray(data)
    for at in np.random.default_rng(0).integers(start, len(data) - 2, count):
        content[at] ^= 0x55
    return bytes(content)


# --- G1


def no_pictures():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.jpg", jpeg())
    return {
        "empty": b"", "one byte": b"\xff", "text": b"a text\n" * 20,
        "HTML": b"<!doctype html><h1>404 Not Found</h1>", "JSON": b'{"image": "x"}',
        "base64 of a JPEG": base64.b64encode(jpeg()), "gzip of a JPEG": gzip.compress(jpeg(), mtime=0),
        "ZIP": archive.getvalue(), "PDF": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 320 240\n(/etc/passwd) run\n%%EOF\n",
        "SVG with a file": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "SVG with an entity": b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "MP4": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(64), "ELF": b"\x7fELF\x02\x01\x01" + bytes(64),
        "pickle": pickle.dumps({"a": 1}, protocol=4), "random bytes": np.random.default_rng(1).bytes(65536),
    }


# --- G2


def damaged():
    whole, packed = jpeg(), png()
    scan = whole.index(b"\xff\xda")
    idat = packed.index(b"IDAT")
    restarts = jpeg(restart_marker_rows=1)
    palette = png(scene().convert("P", palette=Image.Palette.ADAPTIVE))
    return {
        "start of a JPEG only": b"\xff\xd8", "JPEG header only": whole[:20], "JPEG 10 %": whole[:len(whole) // 10],
        "JPEG 50 %": whole[:len(whole) // 2], "JPEG 99 %": whole[:len(whole) * 99 // 100],
        "JPEG less its last two bytes": whole[:-2],
        "JPEG without Huffman tables": without(jpeg(optimize=True), 0xC4),
        "JPEG with a wrong DQT length": whole.replace(b"\xff\xdb\x00\x43", b"\xff\xdb\x00\x41", 1),
        "JPEG without components": replaced(whole, header(*SIZE, 0)),
        "JPEG of no size": replaced(whole, header(0, 0)),
        "JPEG with two frames": after_start(whole, header(640, 480)),
        "JPEG that lost its restart markers": re.sub(b"\xff[\xd0-\xd7]", b"", restarts),
        "flipped bytes in the scan": flipped(whole, 30, scan + 20), "bytes after the end": whole + b"x" * 5000,
        "ZIP after the end": whole + no_pictures()["ZIP"],
        "PNG with a bad checksum": packed[:idat + 20] + bytes([packed[idat + 20] ^ 1]) + packed[idat + 21:],
        "PNG with a bad header checksum": packed[:29] + b"\0\0\0\0" + packed[33:],
        "PNG cut": packed[:len(packed) // 2], "PNG without its end": packed[:-12],
        "PNG without its palette": palette[:palette.index(b"PLTE") - 4] + palette[palette.index(b"IDAT") - 4:],
        "PNG with broken compression": png_of(*SIZE, data=b"\x78\x9c" + b"\xff" * 500),
        "PNG with too few rows": png_of(*SIZE, data=zeros(1000)),
        "WebP whose length lies": b"RIFF\xff\xff\xff\x7fWEBPVP8 " + bytes(64),
        "TIFF with a loop": b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 256, 4, 1, 320, 8),
    }


# --- G3


def bombs():
    lines = zeros(100)
    return {
        "PNG of no size": png_of(0, 0, data=lines), "PNG 60000 x 60000": png_of(60000, 60000, data=lines),
        "PNG as large as can be said": png_of(2**31 - 1, 2**31 - 1, data=lines),
        "144 megapixels of grey": png_of(12000, 12000, colour=0, data=zeros(12001 * 12000)),
        "81 megapixels": png_of(9000, 9000, data=lines), "just over 50 megapixels": png_of(7143, 7001, data=lines),
        "1 x 60000": png_of(1, 60000, data=lines), "30000 x 1": png_of(30000, 1, data=lines),
        "text that grows to 200 MB": insert(png(), chunk(b"zTXt", b"a\0\0" + zeros(200 * 2**20))),
        "colour profile that grows to 200 MB": insert(png(), chunk(b"iCCP", b"a\0\0" + zeros(200 * 2**20))),
        "100,000 texts": insert(png(), chunk(b"iTXt", b"a\0\0\0\0\0b") * 100_000),
        "JPEG 65500 x 65500": replaced(jpeg(), header(65500, 65500)),
        "GIF of many pictures": saved(scene(size=(32, 32)), "GIF", save_all=True,
                                      append_images=[scene(seed, (32, 32)) for seed in range(1, 40)]),
        "WebP 16383 x 16383": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xfe\x3f\0\xfe\x3f\0",
        "JPEG of 300 scans": scans(300), "JPEG of 8 MiB of fill bytes": after_start(jpeg(), b"\xff" * 2**23),
        "JPEG with 8 MiB between its segments": after_start(jpeg(), bytes(2**23)),
        "JPEG of a million empty segments": after_start(jpeg(), segment(0xFE, b"") * 10**6),
        "JPEG of a million starts": after_start(jpeg(), b"\xff\xd8" * 10**6),
        "JPEG whose EXIF claims 300 MB": after_start(jpeg(), segment(0xE1, b"Exif\0\0" + claiming(5000, 60_000))),
        "PNG whose EXIF claims 50 GB": insert(png(), chunk(b"eXIf", claiming(50_000, 10**6))),
        "TIFF of 4 GB": b"II*\0\x08\0\0\0" + struct.pack("<HHHIIHHIII", 2, 256, 4, 1, 320, 279, 4, 1, 2**32 - 1, 0),
    }


def scans(number):
    """A progressive JPEG of 12 megapixels whose last scan comes `number` times more."""
    whole = jpeg(Image.new("RGB", (4000, 3000), "tan"), progressive=True)
    last = whole[whole.rindex(b"\xff\xda"):-2]
    return whole[:-2] + last * number + whole[-2:]


def claiming(tags, size):
    """A block of EXIF as long as its largest tag, each of whose tags claims `size` bytes of it."""
    entries = b"".join(struct.pack("<HHII", 0x9000 + at & 0xFFFF, 7, size, 8) for at in range(tags))
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", tags) + entries).ljust(size + 8, b"\0")


# --- G4


def over_white():
    """The scene, half of it half transparent, laid over white."""
    return Image.alpha_composite(Image.new("RGBA", SIZE, "white"), half_transparent()).convert("RGB")


def half_transparent():
    image = scene().convert("RGBA")
    image.paste(Image.merge("RGBA", (*scene().split(), Image.new("L", SIZE, 128))).crop((0, 0, 160, 240)), (0, 0))
    return image


def few_colours():
    return scene().quantize(256, dither=Image.Dither.NONE)


def odd():
    grey = scene().convert("L")
    alpha = Image.merge("LA", (grey, Image.new("L", SIZE, 255)))
    palette = few_colours()
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    rows = b"".join(b"\0" + row.tobytes() for row in (np.asarray(scene()).astype(">u2") * 257))
    cmyk = scene().convert("CMYK")
    return {
        "grey": jpeg(grey), "grey with alpha": png(alpha), "palette": png(palette),
        "palette with transparency": png(palette, transparency=0), "half transparent": png(half_transparent()),
        "1-bit": png(scene().convert("1")), "16-bit grey": png(deep),
        "16-bit RGB": png_of(*SIZE, depth=16, data=zlib.compress(rows)), "CMYK": jpeg(cmyk), "YCCK": ycck(),
        "progressive": jpeg(progressive=True), "4:1:1": jpeg(subsampling="4:1:1"), "4:4:4": jpeg(subsampling=0),
        "12-bit JPEG": jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c", 1),
        "lossless JPEG": jpeg().replace(b"\xff\xc0", b"\xff\xc3", 1),
        "garbage colour profile": jpeg(icc_profile=b"garbage" * 50),
        "gamma": insert(png(), chunk(b"gAMA", struct.pack(">I", 100_000))),
        "interlaced": interlaced(), "animated PNG": png(save_all=True, append_images=[scene(1), scene(2)]),
        "two in one (MPO)": saved(scene(), "MPO", save_all=True, append_images=[scene(1)], quality=95),
        "float TIFF": saved(Image.fromarray(np.asarray(grey, np.float32)), "TIFF"),
        "TIFF of many pages": saved(scene(), "TIFF", save_all=True, append_images=[scene(1)]),
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
        "AVIF": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(64),
        "WebP": saved(scene(), "WEBP"), "BMP": saved(scene(), "BMP"),
    }


def ycck():
    """The scene as a JPEG of Y, Cb, Cr and K, upside down as Adobe writes them: libjpeg turns it, Pillow turns it back."""
    inverse = Image.fromarray(255 - np.asarray(scene())).convert("YCbCr")
    black = np.zeros((SIZE[1], SIZE[0], 1), np.uint8)
    planes = np.ascontiguousarray(np.dstack([255 - np.asarray(inverse), black]))
    content = jpeg(Image.frombytes("CMYK", SIZE, planes.tobytes()))
    at = content.index(b"Adobe") + 11  # the segment's last byte: 0 says CMYK, 2 says YCCK
    return content[:at] + b"\x02" + content[at + 1:]


def interlaced():
    """The scene as an Adam7 PNG."""
    pixels = np.asarray(scene())
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(b"\0" + row.tobytes() for top, left, down, across in passes
                    for row in pixels[top::down, left::across])
    return png_of(*SIZE, data=zlib.compress(rows), interlace=1)


# --- G5

BACK = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that an orientation undoes


def stored(orientation):
    """The scene as it lies in a file that says this orientation."""
    way = BACK[orientation]
    return scene() if way is None else scene().transpose(Image.Transpose(way))


def with_exif(value, image=None):
    exif = Image.Exif()
    exif[0x0112] = value
    return jpeg(image, exif=exif)


def app1(data):
    return after_start(jpeg(), segment(0xE1, b"Exif\0\0" + data))


def turned():
    gps = Image.Exif()
    gps[0x8825] = {1: "N", 2: (48.0, 51.0, 29.9), 3: "E", 4: (2.0, 17.0, 40.2)}
    script = Image.Exif()
    script[0x010F] = "</script><script>alert(1)</script>" * 1500
    one = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 8)  # the next directory is this one again
    return {
        **{f"orientation {value}": with_exif(value, stored(value)) for value in range(1, 9)},
        "orientation 9": with_exif(9), "orientation 0": with_exif(0),
        "orientation as text": app1(b"II*\0\x08\0\0\0" + struct.pack("<HHHI4sI", 1, 0x0112, 2, 4, b"six\0", 0)),
        "EXIF cut": app1(b"II*\0\x08\0\0\0" + struct.pack("<HHHI", 40, 0x0112, 3, 1)),
        "EXIF with a loop": app1(b"II*\0\x08\0\0\0" + one.replace(b"\6\0\0\0", b"\1\0\0\0", 1)),
        "XMP orientation": after_start(jpeg(), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta "
                                                             b"xmlns:x='adobe:ns:meta/' tiff:Orientation='1'/>")),
        "GPS": jpeg(exif=gps), "long EXIF with a script": jpeg(exif=script),
    }


# --- G6


def strange():
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
    box = scene()

    def drawn(kind):
        return coreboxes.draw(5, (480, 360), kind=kind).pixels

    return {
        "black": png(Image.new("RGB", SIZE)), "white": png(Image.new("RGB", SIZE, "white")), "noise": png(noise),
        **{name: png(Image.fromarray(drawn(kind))) for name, kind in (
            ("a box", "box"), ("no box", "none"), ("half a box", "cut"), ("two boxes", "several"))},
        "strong blur": png(Image.fromarray(drawn("box")).filter(ImageFilter.GaussianBlur(12))),
        "half of it": png(box.crop((160, 0, 320, 240))), "on its side": png(box.transpose(Image.Transpose.ROTATE_90)),
        "mirrored": png(box.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        "upside down": png(box.transpose(Image.Transpose.ROTATE_180)), "32 x 32": png(scene(size=(32, 32))),
        "31 x 31": png(scene(size=(31, 31))), "640 x 32": png(scene(size=(640, 32))),
        "672 x 32": png(scene(size=(672, 32))),
    }
