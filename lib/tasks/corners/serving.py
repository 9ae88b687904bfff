"""How the API sends corners."""

from lib.tasks.contract import Served
from lib.tasks.corners.labels import NUMBERS, points


class CornersServed(Served):
    """The mode of a request, and the box as a polygon."""

    pixel_fields = (*NUMBERS, "radius")

    @property
    def query(self):
        return {"mode": {"type": "integer", "enum": [8, 9] if self.task.counts else [8],
                         "default": self.task.params.corners.predictor_mode,
                         "description": "8: the corners; 9: the rows of core too"}}

    def format_response(self, answer, query):
        answer = dict(answer)
        if int(query.get("mode", self.task.params.corners.predictor_mode)) == 8:
            answer.pop("row_nb", None)
        return answer

    def overlay_polygons(self, answer):
        if answer.get("p1x") is None:
            return []
        return [(points(answer), f"{answer['row_nb']} rows" if "row_nb" in answer else "")]
