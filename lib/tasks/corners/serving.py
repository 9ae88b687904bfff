"""How the API sends and draws core boxes."""

from lib.tasks.contract import Outline, Served
from lib.tasks.corners.boxes import MOST
from lib.tasks.corners.confidence import CODES
from lib.tasks.corners.labels import NUMBERS, ROWS, points

PIXELS = {"type": ["number", "null"], "description": "pixels of the upright photograph; outside it where a box is cut"}


class CornersServed(Served):
    """The most trusted box, and all of them where they are asked for; `row_nb` in mode 9 alone."""

    pixel_fields = (*NUMBERS, "radius")
    listed = "boxes", "box"

    @property
    def query(self):
        return {"mode": {"type": "integer", "enum": [8, 9] if self.task.counts else [8],
                         "default": self.task.params.corners.predictor_mode,
                         "description": "8: the corners; 9: the rows of core too"},
                "boxes": {"type": "string", "enum": ["one", "all"], "default": "one",
                          "description": "all: every box too, in reading order, in the member `boxes`"}}

    @property
    def response_schema(self):
        rows = {"type": ["integer", "null"], "minimum": 1, "maximum": ROWS, "description": "rows of core; in mode 9 alone"}
        box = {**dict.fromkeys(NUMBERS, PIXELS), **({"row_nb": rows} if self.task.counts else {}),
               "rows_run": {"enum": ["horizontal", "vertical", None], "description": "which way the rows run"},
               "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
               "radius": {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 4, "maxItems": 4,
                          "description": "how far each corner may be off, in pixels"},
               "cut": {"type": "boolean", "description": "the box is only partly in the picture"},
               "refused": {"enum": [*CODES, None], "description": "why the box is not to be trusted"}}
        always = [name for name in box if name != "row_nb"]
        return {**box, "boxes_nb": {"type": "integer", "minimum": 0, "maximum": MOST, "description": "boxes in the picture"},
                "boxes": {"type": "array", "maxItems": MOST, "description": "every box, in reading order; with boxes=all alone",
                          "items": {"type": "object", "properties": box, "required": always}}}

    def format_response(self, answer, query):
        answer = dict(answer)
        if query.get("boxes", "one") != "all":
            answer.pop("boxes", None)
        if int(query.get("mode", self.task.params.corners.predictor_mode)) == 8:
            answer.pop("row_nb", None)
            if "boxes" in answer:
                answer["boxes"] = [{name: value for name, value in box.items() if name != "row_nb"} for box in answer["boxes"]]
        return answer

    def overlay_polygons(self, answer):
        """Every box, numbered in reading order where there are several."""
        several = len(answer["boxes"]) > 1
        return [Outline(points(box), _caption(box, at if several else None), box) for at, box in enumerate(answer["boxes"], 1)
                if box["p1x"] is not None]


def _caption(box, number):
    """The words beside a drawn box, such as `2: 3 rows, cut`."""
    rows = [] if box.get("row_nb") is None else [f"{box['row_nb']} row{'s' if box['row_nb'] > 1 else ''}"]
    words = ", ".join(dict.fromkeys([*rows, *(["cut"] if box["cut"] else []), *([box["refused"]] if box["refused"] else [])]))
    return ": ".join([*([] if number is None else [str(number)]), *([words] if words else [])])
