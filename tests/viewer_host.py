"""Stored answers for the viewer, and its page in a real browser without Jupyter.

Messages pass directly between the page and a Viewer.
"""

import base64
import queue

import numpy as np
from PIL import Image

from lib.common import widgets
from lib.evaluation import viewer
from lib.storage import runs

SIZE = (1800, 1350)
HOSTILE = "<img src=x onerror=\"document.title='owned'\">.jpg"


def item(image, number=0, size=SIZE, **values):
    """A stored answer whose box fills most of the picture; the predicted corners are 5 px or more off."""
    width, height = size
    truth = dict(zip(("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y"),
                     (0.1 * width, 0.1 * height, 0.9 * width, 0.1 * height, 0.9 * width, 0.85 * height, 0.1 * width,
                      0.85 * height), strict=True))
    answer = {name: value + 5 + number for name, value in truth.items()}
    return {"image": image, "source": f"D:\\{image}", "sha256": "", "group": f"hole {number % 3}", "split": "test",
            "width": width, "height": height, "truth": {**truth, "row_nb": 4},
            "answer": {**answer, "row_nb": 4 + number % 2, "radius": [12.0] * 4, "confidence": 0.9, "refused": None},
            "scores": {"error_px": 7.0 + number, "error": 10.0 - number, "rows_right": 1.0}, "surprise": number / 4,
            **values}


def store(job, items, size=SIZE):
    """A finished Run with these answers, and a picture for each."""
    record = runs.Run(job, "r1")
    for values in (("done", {}), ("export/export", {}), ("review", {"items": items})):
        record.write(*values)
    (record.folder / "params.yaml").write_text("")
    (job.folder / "images").mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(items):
        noise = np.random.default_rng(number).integers(0, 255, (27, 36, 3), np.uint8)
        Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(job.folder / "images" / each["image"], quality=80)
    return record


MODEL = """
window.model = {
  heard: [],
  on(name, act) { this.heard.push(act); },
  off() {},
  send(message) { window.ask(message).then((all) => all.forEach((each) => this.hear(...each))); },
  hear(message, codes) {
    const buffers = codes.map((code) => new DataView(Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0)).buffer));
    for (const act of this.heard) act(message, buffers);
  },
};
setInterval(() => window.pull().then((all) => all.forEach((each) => window.model.hear(...each))), 50);
const place = document.createElement("div");
document.body.append(place);
window.app.render({ model: window.model, el: place });
"""


class Host:
    """Takes the place of a Viewer's widget: messages to the page wait in a queue until the page fetches them."""

    def __init__(self, view):
        self.view, self.sent = view, queue.SimpleQueue()
        view.page = self

    def send(self, message, buffers=()):
        self.sent.put([message, [base64.b64encode(bytes(each)).decode() for each in buffers or ()]])

    def pull(self):
        """The messages since the last call, each a message and its buffers in base64."""
        found = []
        while not self.sent.empty():
            found.append(self.sent.get())
        return found

    def ask(self, message):
        """Let the Viewer handle a message of the page; returns its replies."""
        self.view._reply(self.view._handlers[message["do"]][1], message)
        return self.pull()

    def open(self, browser, who, size=(1400, 900), **context):
        """A page opened by the reviewer `who`, as soon as its first picture is shown."""
        page = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context).new_page()
        page.expose_function("ask", self.ask)
        page.expose_function("pull", self.pull)
        page.set_content("<!doctype html><html lang='en'><title>viewer</title><body></body></html>")
        page.add_style_tag(path=viewer.FOLDER / "page.css")
        page.add_script_tag(content=widgets.script(viewer.FOLDER / "page.js").replace("export default", "window.app ="))
        page.add_script_tag(content=MODEL)
        page.locator(".corebox[data-shown]").wait_for(timeout=60_000)
        page.wait_for_function("document.activeElement.classList.contains('corebox')")  # its keys work at once
        page.get_by_label("reviewer", exact=True).fill(who)
        page.locator(".corebox").focus()
        return page
