"""The widget browser of answers: one picture at a time, worst first."""

import io

from lib import figures


class Viewer:
    """Pictures with truth (white) and answer (red), to go through by buttons, by slider or by name.

    `show()` gives the widget; `at` is the place in the order, worst first.
    """

    def __init__(self, verification):
        import ipywidgets as widgets

        self.verification = verification
        self.order = verification.found["rank"].sort_values(kind="stable").index.tolist()
        names = [(verification.rows[at]["image"], place) for place, at in enumerate(self.order)]
        last = len(self.order) - 1
        self.place = widgets.IntSlider(0, 0, last, description="rank", continuous_update=False)
        self.name = widgets.Dropdown(options=names, value=0, description="picture")
        self.before = widgets.Button(description="previous", icon="arrow-left")
        self.after = widgets.Button(description="next", icon="arrow-right")
        self.picture = widgets.Image(format="png")
        self.caption = widgets.HTML()
        widgets.link((self.place, "value"), (self.name, "value"))
        self.before.on_click(lambda _: self.step(-1))
        self.after.on_click(lambda _: self.step(1))
        self.place.observe(lambda _: self.draw(), "value")
        bar = widgets.HBox([self.before, self.after, self.place, self.name])
        self.box = widgets.VBox([bar, self.caption, self.picture])
        self.draw()

    def show(self):
        return self.box

    @property
    def at(self):
        return self.place.value

    def step(self, by):
        """Go on or back, round the end."""
        self.place.value = (self.place.value + by) % len(self.order)

    def draw(self):
        """Show the picture of the present place; what goes wrong is said below it."""
        import html

        verification, at = self.verification, self.order[self.place.value]
        row, job = verification.rows[at], verification.job
        scores = ", ".join(f"{key.replace('_', ' ')} {verification.found.at[at, key]:.3g}"
                           for key in verification.scores["score"])
        try:
            picture = figures.small(job, row, 1400)
        except ValueError as error:  # ipywidgets would swallow it
            picture, scores = None, str(error)
        # Names and labels come from outside: never as markup.
        self.caption.value = f"<b>{self.place.value + 1} of {len(self.order)}</b> {html.escape(row['image'])}: " \
                             f"{html.escape(scores)}"
        self.picture.value = b""
        if picture is not None:
            buffer = io.BytesIO()
            figures.overlay(job, picture, verification.truths[at], verification.answers[at]).savefig(
                buffer, format="png", dpi=100)
            self.picture.value = buffer.getvalue()
