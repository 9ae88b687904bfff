"""Database rows 141-156 of the list of bad inputs, each with its one outcome, through notebook 01's own loader."""

import os
import shutil
import time
import unicodedata

import pytest
from conftest import good, label, picture, reasons

CORNERS = ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y")
NFD = unicodedata.normalize("NFD", "é")
NAMES = [f"a\nb {NFD}.jpg", "a; b.jpg", "a'b\"c.jpg", "a 📷.jpg", "x'; drop table log_pic; --.jpg"]


def corners(*values):
    return dict(zip(CORNERS, values, strict=True))


# number: what is changed of a good row, and the reason for which it is left out (None: it is kept)
CASES = {
    "141 path NULL": ({"fullname": None}, "no path"),
    "141 path empty": ({"fullname": ""}, "no path"),
    "142 path that climbs": ({"fullname": "X:\\..\\..\\etc\\passwd"}, "outside the folder"),
    "143 absolute path outside": ({"fullname": "/etc/passwd"}, "unmapped path"),
    "144 link that leads out": ({"fullname": "X:\\link.jpg"}, "outside the folder"),
    **{f"145 name {name!r}": ({"fullname": f"X:\\{name}"}, None) for name in NAMES},
    "146 file missing": ({"fullname": "X:\\none.jpg"}, "no file"),
    "147 folder": ({"fullname": "X:\\folder.jpg"}, "not a file"),
    "147 FIFO": ({"fullname": "X:\\pipe.jpg"}, "not a file"),
    "147 /dev/zero": ({"fullname": "X:\\zero.jpg"}, "outside the folder"),
    "148 same path, other labels": ({"fullname": "X:\\p00.jpg", "row_nb": 5}, "same picture, other labels"),
    "149 same picture under another name": ({"fullname": "X:\\twin.jpg"}, "same picture twice"),
    "150 corner NULL": ({"p1x": None}, "corner missing"), "150 corner NaN": ({"p1x": "NaN"}, "corner missing"),
    "150 corner inf": ({"p1x": "inf"}, "corner not a number"),
    "150 corner 1e308": ({"p1x": "1e308"}, "corner outside the picture"),
    "150 corner text": ({"p1x": "left"}, "corner not a number"),
    "151 corner negative": ({"p1x": "-40"}, "corner outside the picture"),
    "151 corner beyond": ({"p3x": "200"}, "corner outside the picture"),
    "152 corners in another order": (corners(59, 40, 4, 41, 5, 5, 60, 6), None),
    "152 corners crosswise": (corners(5, 5, 59, 40, 60, 6, 4, 41), None),
    "152 no box": (corners(5, 5, 60, 5, 10, 10, 5, 40), "corners not convex"),
    "153 four equal": (corners(*[20, 20] * 4), "corners not convex"),
    "153 no area": (corners(5, 5, 60, 5, 60, 5.01, 5, 5.01), "box too small"),
    "154 core number text": ({"row_nb": "three"}, "row count missing"),
    "154 core number -1": ({"row_nb": "-1"}, "row count not from 1 to 20"),
    "154 core number 10^9": ({"row_nb": "1000000000"}, "row count not from 1 to 20"),
    "155 label of a turned copy": ({"fullname": "X:\\turned.jpg"}, "corner outside the picture"),
    "156 SQL in a field": ({"site_na": "x'; drop table log_pic; --"}, None),
}


@pytest.fixture
def rows(place, tmp_path):
    """A good row for each case with its change, and its picture; after them 30 good ones."""
    shutil.copy(picture(tmp_path / "secret.jpg"), tmp_path / "outside.jpg")
    (place / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (place / "zero.jpg").symlink_to("/dev/zero")
    (place / "folder.jpg").mkdir()
    os.mkfifo(place / "pipe.jpg")
    picture(place / "turned.jpg", 777, (48, 64))
    for number, name in enumerate(NAMES):
        picture(place / name, 800 + number)
    whole, made = good(place, 30), []
    shutil.copy(place / "p01.jpg", place / "twin.jpg")
    for number, (change, _) in enumerate(CASES.values()):
        if "fullname" not in change:
            picture(place / f"c{number:02}.jpg", 500 + number)
        made.append({**label(f"X:\\c{number:02}.jpg"), **change})
    return made, whole


def test_each_row_has_its_one_outcome_and_the_run_goes_on(rows, walk):
    made, whole = rows
    begun = time.monotonic()
    found = walk([*made, *whole])
    assert time.monotonic() - begun < 120, "something hung"
    told = reasons(found)
    for (name, (_, reason)), row in zip(CASES.items(), made, strict=True):
        assert told.get(row["fullname"] or "") == reason, name
        if reason is None:
            assert (found.table.source == row["fullname"]).sum() == 1, name
    left_out = [reason for _, reason in CASES.values() if reason]
    # The good row whose picture came with two labels goes with the other one.
    assert found.counts["dropped"] == len(left_out) + 1 and found.counts["kept"] == 30 - 1 + len(made) - len(left_out)
    assert found.counts["reordered"] == 2
    kept = found.table.set_index("source")
    assert kept.group[made[-1]["fullname"]] == "x'; drop table log_pic; --"
    again = walk([*made, *whole])
    assert again.counts["copied"] == 0 and again.table.equals(found.table)
