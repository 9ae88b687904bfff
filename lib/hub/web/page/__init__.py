"""The hub's page in a cell: submit, browse, choose, download, train, review, manage accounts, each for those who may."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.common import widgets
from lib.hub import accounts
from lib.hub.jobs import trainings
from lib.hub.web.page import (
    account_messages,
    dataset_messages,
    intake_messages,
    review_messages,
    training_messages,
)

HANDLERS = {**intake_messages.HANDLERS, **dataset_messages.HANDLERS, **training_messages.HANDLERS, **review_messages.HANDLERS,
            **account_messages.HANDLERS}   # by the name of a message: a function of the Page and the message
REMEMBERED = 5.0   # s for which an account is remembered; so late does a change of its roles take hold


class Page(widgets.Widget):
    """A page for one visitor, who is known by a token; it asks by messages, and threads answer.

    The database is asked at every step what the visitor may do; the page only hides what would be refused.
    """

    errors = (*widgets.Widget.errors, LookupError)

    def __init__(self, hub):
        self._pool = pool = ThreadPoolExecutor(6)
        super().__init__(Path(__file__).parent, {"enter": (pool, self.enter), **{
            name: (pool, self._handler(handler)) for name, handler in HANDLERS.items()}}, echoed=("view", "do", "ask"))
        self.hub, self.account, self.token, self._until = hub, None, "", 0.0
        self.parts = intake_messages.PartialFiles(hub.params.api.max_bytes)

    def __repr__(self):
        return f"page of the hub {self.hub.profile!r}"

    def on_message(self, message, buffers=()):
        """Answer a message in a thread; parts of files are joined at once, in the order in which they come."""
        if message.get("do") != "part":
            return super().on_message(message, buffers)
        data = b""
        if self.account is not None:
            data = self.parts.add(str(message["id"]), buffers, bool(message["last"]))
        if data is None:
            self.page.send({"do": "part", "ask": message["ask"], "view": message.get("view")})
        else:
            self._pool.submit(self._reply, self._handler(lambda page, asked: intake_messages.receive(page, asked, data)), message)

    def enter(self, message):
        """Who has this token, what they may do, and the words that can be chosen from."""
        account = self._find(str(message["token"]))
        with self.hub.transaction(account, "browse") as cursor:
            cursor.execute("SELECT id, name FROM hub.licence ORDER BY id")
            licences = cursor.fetchall()
        api, settings = self.hub.params.api, self.hub.settings
        return {"id": account.id, "name": account.name, "roles": list(account.roles), "licences": licences,
                "may": [each for each in accounts.ACTIONS if accounts.is_allowed(account, each)],
                "allRoles": list(accounts.ROLES), "open": list(trainings.ADJUSTABLE), "most": api.max_bytes,
                "part": intake_messages.PART_BYTES, "shown": dataset_messages.MAX_SHOWN, "task": settings.training_task,
                "profile": settings.training_profile, "beat": settings.heartbeat}

    def _handler(self, handler):
        """A function of a message that answers as the visitor, whose token is looked up again every few seconds."""
        def answer(message):
            if self.account is None:
                raise accounts.Forbidden("enter your token first")
            if time.monotonic() > self._until:
                self._find(self.token)
            return handler(self, message)

        return answer

    def _find(self, token):
        account = accounts.find_by_token(self.hub, token)
        self.account = account
        if account is None:
            raise accounts.Forbidden("nobody has this token; ask the hub's operator for one")
        self.token, self._until = token, time.monotonic() + REMEMBERED
        return account
