"""COCO JSON: every writer's bytes, and an entry a line without holding all of them."""

import itertools
import json

import pytest

from lib.imaging import coco

SQUARE = [(1.5, 2), (4, 2), (4, 6), (1.5, 6)]


def sections(wrap):
    return {"info": {"description": "Söge"}, "images": wrap([coco.image(1, "ä.jpg", (640, 480), license=2)]),
            "annotations": wrap([{"id": 1, "bbox": coco.bbox(SQUARE), "segmentation": coco.segmentation(SQUARE)}, {"id": 2}])}


@pytest.mark.parametrize("ascii_only", [False, True])
def test_lists_are_written_as_json_writes_them(ascii_only):
    assert "".join(coco.pieces(sections(list), ascii_only)) == json.dumps(sections(list), ensure_ascii=ascii_only)


def test_entries_of_an_iterator_stand_on_lines_of_their_own():
    text = "".join(coco.pieces(sections(iter)))
    assert json.loads(text) == sections(list) and len(text.splitlines()) == 4
    assert '"images": [\n{"id": 1, "file_name": "ä.jpg", "width": 640, "height": 480, "license": 2}], "annotations": [\n' in text
    assert '"bbox": [1.5, 2, 2.5, 4], "segmentation": [[1.5, 2, 4, 2, 4, 6, 1.5, 6]]},\n{"id": 2}]}' in text
    assert "".join(coco.pieces({"images": iter(())})) == '{"images": []}'


def test_an_iterator_is_not_read_ahead():
    pieces = coco.pieces({"images": ({"id": number} for number in itertools.count())})
    assert len(list(itertools.islice(pieces, 1000))) == 1000


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        list(coco.pieces({"annotations": [{"area": float("nan")}]}))
