"""How the API sends boats."""

from lib.tasks.boats import detection
from lib.tasks.contract import Outline, Served

THING = "boat"   # word beside a drawn box


class BoatsServed(Served):
    """The boxes whose score is high enough for the request."""

    pixel_fields = ("boxes",)

    @property
    def query(self):
        shown = self.task.params.boats.shown
        choices = sorted({0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, shown})
        return {"least": {"type": "number", "enum": choices, "default": shown,
                          "description": "the score that a box must have to be sent"}}

    def format_response(self, answer, query):
        least = float(query.get("least", self.task.params.boats.shown))
        pairs = [(box, score) for box, score in zip(answer["boxes"], answer["scores"], strict=True) if score >= least]
        return {**answer, "boxes": [box for box, _ in pairs], "scores": [score for _, score in pairs]}

    def overlay_polygons(self, answer):
        return [Outline(detection.array([box])[0][[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2), f"{THING} {score:.2f}")
                for box, score in zip(answer["boxes"], answer["scores"], strict=True)]
