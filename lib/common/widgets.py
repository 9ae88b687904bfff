"""An anywidget page of our own: one script, one style sheet, and messages in both directions."""

import re

IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"\./([\w-]+\.js)";\n', re.M)


class Widget:
    """Shows `page.js` and `page.css` of a folder in Jupyter or voila, and answers the page's messages in threads.

    `handlers` maps the name of a message (its key `do`) to an executor and a function. The function takes the message
    and returns a dict, or a dict and a list of buffers. The reply repeats those keys of the message that `echoed`
    lists. An exception becomes a reply with the key `error`: the exception's own text for the classes in `errors`,
    the class name and the text for any other.
    """

    errors = (ValueError, OSError, RuntimeError)

    def __init__(self, folder, handlers, echoed):
        self.page, self._folder, self._handlers, self._echoed = None, folder, handlers, echoed

    def _repr_mimebundle_(self, **_):
        self.page = self.page or self._page()
        bundle = self.page._repr_mimebundle_()
        shown = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
        return shown | {"text/plain": repr(self)}, {}

    def _page(self):
        import anywidget

        class Page(anywidget.AnyWidget):
            _esm = script(self._folder / "page.js")
            _css = (self._folder / "page.css").read_text()

        page = Page()
        page.on_msg(lambda _, message, buffers: self.on_message(message, buffers))
        return page

    def on_message(self, message, buffers=()):
        """Submit a message of the page to the executor of its handler; unknown messages are ignored."""
        executor, handler = self._handlers.get(message.get("do"), (None, None))
        if executor is not None:
            executor.submit(self._reply, handler, message)

    def _reply(self, handler, message):
        repeated = {key: message[key] for key in self._echoed if key in message}
        try:
            result = handler(message)
            facts, buffers = result if isinstance(result, tuple) else (result, [])
            self.page.send({**repeated, **facts}, buffers)
        except self.errors as error:
            self.page.send({**repeated, "error": str(error)})
        except Exception as error:  # the executor would swallow it, and the page would wait for ever
            self.page.send({**repeated, "error": f"{type(error).__name__}: {error}"})


def script(path):
    """The text of an ES module and of the modules beside it that it imports, as one module.

    anywidget takes a single module. Each file comes once, before the files that import it; `import` lines of files
    beside it and the word `export` before their names are left out, so their top-level names must differ.
    """
    parts = []
    _collect(path, set(), parts)
    return "\n".join(parts)


def _collect(path, seen, parts):
    seen.add(path.name)
    text = path.read_text()
    for name in IMPORT.findall(text):
        if name not in seen:
            _collect(path.with_name(name), seen, parts)
    parts.append(re.sub(r"^export (?!default)", "", IMPORT.sub("", text), flags=re.M))
