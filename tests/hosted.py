"""The viewer's page in a real browser without a Jupyter around it: messages go straight to a Viewer and back."""

import base64
import queue

from lib.common import widgets
from lib.evaluation import viewer

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
    """What stands for the widget of a Viewer: what it is sent waits until the page fetches it."""

    def __init__(self, view):
        self.view, self.sent = view, queue.SimpleQueue()
        view.page = self

    def send(self, message, buffers=()):
        self.sent.put([message, [base64.b64encode(bytes(each)).decode() for each in buffers or ()]])

    def pull(self):
        found = []
        while not self.sent.empty():
            found.append(self.sent.get())
        return found

    def ask(self, message):
        self.view._reply(self.view._handlers[message["do"]][1], message)
        return self.pull()

    def open(self, browser, who):
        """A page of a reviewer, once its first picture is shown."""
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.expose_function("ask", self.ask)
        page.expose_function("pull", self.pull)
        page.set_content("<!doctype html><body></body>")
        page.add_style_tag(path=viewer.FOLDER / "page.css")
        page.add_script_tag(content=widgets.script(viewer.FOLDER / "page.js").replace("export default", "window.app ="))
        page.add_script_tag(content=MODEL)
        page.locator(".corebox[data-shown]").wait_for(timeout=60_000)
        page.wait_for_function("document.activeElement.classList.contains('corebox')")  # its keys are at hand at once
        page.get_by_label("reviewer").fill(who)
        page.locator(".corebox").focus()
        return page
