"""A page of ours in a notebook's cell: one script, one style, and messages both ways."""


class Cell:
    """What Jupyter and voila show as `page.js` and `page.css` of a folder, whose messages threads answer.

    `answers` names, by what a message asks (`do`), the pool and the function: from the message to facts, or to facts
    and buffers. The reply carries what the message held of `echoed`. What goes wrong is told on the page, in the
    words of the error where it is one of `trouble`, and kills nothing.
    """

    trouble = (ValueError, OSError, RuntimeError)

    def __init__(self, folder, answers, echoed):
        self.page, self._folder, self._answers, self._echoed = None, folder, answers, echoed

    def _repr_mimebundle_(self, **_):
        self.page = self.page or self._page()
        bundle = self.page._repr_mimebundle_()
        shown = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
        return shown | {"text/plain": repr(self)}, {}

    def _page(self):
        import anywidget

        class Page(anywidget.AnyWidget):
            _esm = (self._folder / "page.js").read_text()
            _css = (self._folder / "page.css").read_text()

        page = Page()
        page.on_msg(lambda _, message, buffers: self.hear(message, buffers))
        return page

    def hear(self, message, buffers=()):
        """Have a message of the page answered, in a thread."""
        pool, answer = self._answers.get(message.get("do"), (None, None))
        if pool is not None:
            pool.submit(self._reply, answer, message)

    def _reply(self, answer, message):
        back = {key: message[key] for key in self._echoed if key in message}
        try:
            found = answer(message)
            facts, buffers = found if isinstance(found, tuple) else (found, [])
            self.page.send({**back, **facts}, buffers)
        except self.trouble as error:
            self.page.send({**back, "trouble": str(error)})
        except Exception as error:  # a thread would swallow it, and the page wait for ever
            self.page.send({**back, "trouble": f"{type(error).__name__}: {error}"})
