"""Is a picture good enough? Figures of one picture, each judged by its limit."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

from lib.hub.intake import annotations, features, near_duplicates
from lib.imaging import images
from lib.tasks.contract import RejectedRow

DECODE_SIZE = (480, 360)     # px a picture is decoded at, at least; a JPEG may be decoded smaller than it is
SIDE = 480            # px, the longer side at which sharpness is measured
PARTS = 4             # across and down; a picture shows as much as the busiest of these parts: a box may lie on black
SEVERITY = {"accept": 0, "review": 1, "refuse": 2}


@dataclass(frozen=True)
class Finding:
    """One decision: the check's name, its verdict (accept, review, refuse), the figure, the limit, the reason."""

    name: str
    verdict: str
    figure: float | None
    allowed: float | None
    reason: str
    other: int | None = None


def measure(data, api, classic=True):
    """The figures of a picture's bytes as a plain dict; `refused` says why it cannot be decoded.

    sharpness: the share of the picture's variance that its finest octave holds, in thousandths, 480 px across;
    brightness: mean grey; information: entropy of the grey values in the busiest of PARTS x PARTS parts, bits a pixel;
    structure: the share of a part's variance that means of 4x4 px keep, in the part where it is greatest: noise keeps 0.06;
    hashes, features, small (pixels at most 256 px, for a network and for comparison).
    """
    try:
        picture = images.read(data, at_least=DECODE_SIZE, formats=images.FORMATS, max_bytes=api.max_bytes,
                              max_pixels=api.max_pixels)
    except images.Refused as error:
        return {"refused": f"{error.code}: {error}"}
    return {"width": picture.size[0], "height": picture.size[1], **pixel_figures(picture.pixels, classic)}


def pixel_figures(pixels, classic=True):
    """Those figures of `measure` that come from the pixels alone, uint8 (h, w, 3) RGB."""
    grey = shrink(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), SIDE)
    small = shrink(pixels, near_duplicates.SIDE)
    return {"sharpness": _sharpness(grey), "brightness": cv2.mean(grey)[0],
            "information": _information(grey), "structure": _structure(grey), "hashes": near_duplicates.hashes(grey), "small": small,
            "features": features.classic(small) if classic else None}


def shrink(pixels, side):
    """The pixels reduced by averaging so that the longer side is at most `side` px."""
    while max(pixels.shape[:2]) >= 2 * side and not (pixels.shape[0] | pixels.shape[1]) & 1:   # halving is quick
        pixels = cv2.resize(pixels, (pixels.shape[1] // 2, pixels.shape[0] // 2), interpolation=cv2.INTER_AREA)
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _sharpness(grey):
    """The share of the variance that smoothing removes, in thousandths; a first blur takes out noise, which is no detail."""
    grey = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.6)
    spread, all_of_it = cv2.meanStdDev(fine)[1].item(), cv2.meanStdDev(grey)[1].item()
    return 1000 * spread ** 2 / max(all_of_it ** 2, 1.0)


def _parts(grey):
    """The PARTS x PARTS parts of a picture, of which none is empty."""
    rows, columns = (np.linspace(0, side, PARTS + 1).astype(int) for side in grey.shape)
    return [grey[top:bottom, left:right] for top, bottom in itertools.pairwise(rows)
            for left, right in itertools.pairwise(columns) if bottom > top and right > left]


def _information(grey):
    """Bits a pixel that the grey values of the busiest part hold (Shannon's entropy)."""
    return max(map(_entropy, _parts(grey)))


def _structure(grey):
    """The greatest share of a part's variance that means of 4x4 px keep, 0 to 1; 0 where no part has any."""
    means = cv2.resize(grey, (max(1, grey.shape[1] // 4), max(1, grey.shape[0] // 4)), interpolation=cv2.INTER_AREA)
    spreads = [(cv2.meanStdDev(np.ascontiguousarray(each))[1].item() for each in _parts(pixels)) for pixels in (means, grey)]
    return max((min(1.0, (kept / whole) ** 2) for kept, whole in zip(*spreads, strict=False) if whole), default=0.0)


def _entropy(grey):
    counts = cv2.calcHist([np.ascontiguousarray(grey)], [0], None, [256], [0, 256]).ravel()
    shares = counts[counts > 0] / grey.size
    return float(-(shares * np.log2(shares)).sum())


def judge(figures, settings):
    """The Findings of a picture's figures, by the limits of the settings (group `hub`)."""
    if "refused" in figures:
        return [Finding("decodes", "refuse", None, None, figures["refused"])]
    shorter, longer = sorted((figures["width"], figures["height"]))
    blur = figures["sharpness"]
    grey, bits = figures["brightness"], figures["information"]

    def finding(name, verdict, figure, allowed, words):
        good = verdict == "accept"
        return Finding(name, verdict, round(float(figure), 4), allowed, "" if good else words)

    return [
        Finding("decodes", "accept", None, None, ""),
        finding("size", "refuse" if shorter < settings.min_side else "accept", shorter, settings.min_side,
                f"its shorter side is {shorter} px; {settings.min_side} are needed"),
        finding("aspect", "refuse" if longer > settings.max_aspect * shorter else "accept", longer / shorter,
                settings.max_aspect, f"it is {longer / shorter:.1f} times as long as wide"),
        finding("blur", "refuse" if blur < settings.blur_refuse else "review" if blur < settings.blur_review else
                "accept", blur, settings.blur_refuse if blur < settings.blur_refuse else settings.blur_review,
                f"it is blurred: sharpness {blur:.1f}"),
        finding("dark", "review" if grey < settings.dark else "accept", grey, settings.dark,
                f"it is dark: mean grey {grey:.0f} of 255"),
        finding("bright", "review" if grey > settings.bright else "accept", grey, settings.bright,
                f"it is bright: mean grey {grey:.0f} of 255"),
        finding("information", "refuse" if bits < settings.information else "accept", bits, settings.information,
                f"it shows next to nothing: {bits:.1f} bits a pixel in its busiest part"),
        finding("noise", "review" if figures["structure"] < settings.structure and bits >= settings.information else "accept",
                figures["structure"], settings.structure, "it shows noise and nothing else"),
    ]


def label_finding(task, values, size):
    """The Finding on a label of a task, by the task's own check: corners out of order, outside, and the like."""
    job = annotations.job(task)
    row = {"image": "", **values, "width": size[0], "height": size[1]}
    name = f"label of {task}"
    try:
        row = job.check(row)
    except RejectedRow as refusal:
        return Finding(name, "review", None, None, f"its label cannot be used: {refusal.reason}")
    if row.get("reordered"):
        return Finding(name, "review", None, None, "the points of its label are out of order; they were understood as "
                       "top-left, top-right, bottom-right, bottom-left")
    return Finding(name, "accept", None, None, "")


def verdict(findings):
    """The most severe of the verdicts."""
    return max((finding.verdict for finding in findings), key=SEVERITY.get)
