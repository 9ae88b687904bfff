"""How the API sends nails."""

import cv2
import numpy as np

from lib.tasks.contract import Outline, Served
from lib.tasks.nails.windows import spread


class NailsServed(Served):
    """The window that was judged, and what is unlike good nails in it."""

    pixel_fields = ("window",)

    def overlay_polygons(self, answer):
        """The window with the answer, and a line around what is more unlike good nails than usual."""
        if answer.get("map") is None:
            return [Outline(answer["window"], answer["refused"] or answer["label"])]
        unlike = cv2.resize(np.array(answer["map"], np.float32), None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR)
        lines, _ = cv2.findContours((unlike > 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        around = [Outline(spread(answer["window"], line[:, 0] / unlike.shape[::-1]), "") for line in lines if len(line) > 2]
        return [Outline(answer["window"], f"{answer['label']} {answer['probability']:.2f}"), *around]
