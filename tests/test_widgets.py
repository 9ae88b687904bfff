"""Messages of a page are answered whatever happens: facts, bytes, or what went wrong."""

import queue
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.common.widgets import Widget, script
from lib.evaluation import viewer


class Page:
    """In place of a browser: what it was sent."""

    def __init__(self):
        self.got = queue.Queue()

    def send(self, message, buffers=()):
        self.got.put((message, list(buffers)))


@pytest.fixture
def widget(tmp_path):
    def fails(error):
        def answer(message):
            raise error
        return answer

    with ThreadPoolExecutor(2) as pool:
        widget = Widget(tmp_path, {"facts": (pool, lambda message: {"seen": message["at"]}),
                               "bytes": (pool, lambda message: ({}, [b"JPEG"])),
                               "bad": (pool, fails(ValueError("no such picture; reload the page"))),
                               "bug": (pool, fails(KeyError("p1x")))}, echoed=("do", "at"))
        widget.page = Page()
        yield widget


def asked(widget, **message):
    widget.on_message(message)
    return widget.page.got.get(timeout=10)


def test_a_reply_carries_facts_and_what_is_echoed(widget):
    assert asked(widget, do="facts", at=3, note="kept to oneself") == ({"do": "facts", "at": 3, "seen": 3}, [])


def test_a_reply_may_carry_bytes(widget):
    assert asked(widget, do="bytes") == ({"do": "bytes"}, [b"JPEG"])


def test_what_the_user_can_mend_is_told_in_its_own_words_and_a_bug_by_its_kind(widget):
    assert asked(widget, do="bad", at=1)[0] == {"do": "bad", "at": 1, "error": "no such picture; reload the page"}
    assert asked(widget, do="bug")[0] == {"do": "bug", "error": "KeyError: 'p1x'"}


def test_a_message_nobody_knows_is_passed_over_and_the_next_one_answered(widget):
    widget.on_message({"do": "unheard of"})
    widget.on_message({})
    assert asked(widget, do="facts", at=0)[0]["seen"] == 0
    assert widget.page.got.empty()


def test_a_widget_shows_the_script_and_style_of_its_folder_and_its_name_where_there_is_no_browser(tmp_path):
    (tmp_path / "page.js").write_text("export default { render() {} }")
    (tmp_path / "page.css").write_text("b { color: red }")
    widget = Widget(tmp_path, {}, ())
    shown, _ = widget._repr_mimebundle_()
    assert shown["text/plain"] == repr(widget)
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert widget.page._esm == "export default { render() {} }" and widget.page._css == "b { color: red }"


def test_a_script_holds_the_modules_that_it_imports_once_and_before_it(tmp_path):
    (tmp_path / "page.js").write_text('import { two } from "./a.js";\nimport { one } from "./b.js";\nexport default { render() { one(two); } }\n')
    (tmp_path / "a.js").write_text('import { one } from "./b.js";\nexport const two = () => one("export const");\n')
    (tmp_path / "b.js").write_text("export function one(value) {}\nexport class Three {}\n")
    assert script(tmp_path / "page.js") == ('function one(value) {}\nclass Three {}\n\nconst two = () => one("export const");\n\n'
                                            "export default { render() { one(two); } }\n")


def test_the_modules_of_a_page_name_what_they_import_and_no_two_things_alike():
    for page in Path(viewer.FOLDER).parents[2].rglob("page.js"):
        text, names = script(page), []
        for path in page.parent.glob("*.js"):
            own = re.findall(r"^(?:export )?(?:const|class|function|async function) (\w+)", path.read_text(), re.M)
            names += own
            used = {name for line in re.findall(r"^import \{ (.*?) \} from", path.read_text(), re.M) for name in line.split(", ")}
            for name in used:
                assert len(re.findall(rf"\b{name}\b", path.read_text())) > 1, f"{path.name} imports {name} and does not use it"
        assert len(names) == len(set(names)), page
        assert "import " not in text
