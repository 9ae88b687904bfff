"""The image hub: what is sent comes in once, is judged with reasons, is chosen, and leaves without metadata."""

import ast
import functools
import hashlib
import io
import itertools
import json
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import psycopg2
import pytest
import s3_server
from hub_pictures import LICENCE, exif, folder, jpeg, picture, pixels

from benchmarks import hub_load
from lib import tasks
from lib.common import config
from lib.hub import access, accounts, schema, store
from lib.hub.datasets import export, label_hierarchy, selection, versions
from lib.hub.intake import (
    annotations,
    checks,
    geocoding,
    metadata,
    reviews,
    sources,
    submission,
    uploads,
    verification,
)
from lib.hub.jobs import trainings
from lib.imaging import images

NUMBERS = itertools.count()
NASTY = ["x'; DROP TABLE hub.picture; --", "' OR '1'='1", "1); SELECT pg_sleep(9) --", '" OR 1=1 #', "%s %(x)s {} \\", "😀\u202e"]


@pytest.fixture(scope="module")
def template(server):
    """The name of a migrated database, from which each test's is copied."""
    name = f"hubs{os.getpid()}"
    server.sql(f'CREATE DATABASE "{name}"')
    connection = psycopg2.connect(host="127.0.0.1", port=server.port, dbname=name, user=server.uid,
                                  password="pl4nted-S3cret")
    schema.SCHEMA.migrate(connection)
    connection.close()
    return name


@pytest.fixture
def hub(template, server, home, tmp_path):
    """A hub of its own, on a PostgreSQL on TCP; its pictures lie in memory."""
    name = f"hub{os.getpid()}x{next(NUMBERS)}"
    server.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield access.open_hub({"hub.token": server.token(tmp_path / "hub.json", database=name), "hub.store": f"memory://{name}",
                           "hub.chunk": 7})
    server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def crowd(hub):
    """One person of each role, by role, and `other`, a second supplier."""
    found = {role: accounts.add(hub, role, [role])[0] for role in accounts.ROLES}
    return found | {"other": accounts.add(hub, "other", ["supplier"])[0]}


def rows(hub, query, *values):
    with hub.owner_transaction() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def send(hub, person, items, key="k", **values):
    """Receive pictures {name: bytes} and return the Receipt."""
    common = {"licence": LICENCE, **values}
    return submission.receive(hub, person, key, [sources.Item(name, data, common) for name, data in items.items()])


# --- the schema


def test_the_schema_comes_up_from_every_version_and_twice_changes_nothing(server):
    looks = set()
    for number in range(len(schema.SCHEMA.files()) + 1):
        name = f"up{os.getpid()}x{number}"
        server.sql(f'CREATE DATABASE "{name}"')
        connection = psycopg2.connect(host="127.0.0.1", port=server.port, dbname=name, user=server.uid,
                                      password="pl4nted-S3cret")
        first = schema.SCHEMA.migrate(connection, number)
        assert first + schema.SCHEMA.migrate(connection) == [path.name for path in schema.SCHEMA.files()]
        assert schema.SCHEMA.migrate(connection) == []
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_name, column_name, data_type FROM information_schema.columns "
                           "WHERE table_schema = 'hub' ORDER BY 1, 2")
            looks.add(str(cursor.fetchall()))
        connection.close()
        server.sql(f'DROP DATABASE "{name}"')
    assert len(looks) == 1


def test_without_a_schema_the_command_is_named(server, home, tmp_path):
    hub = access.open_hub({"hub.token": server.token(tmp_path / "t.json", database="template1")})
    with pytest.raises(config.ConfigError, match="python -m lib hub migrate"):
        accounts.find(hub, "anna")


def executed(tree):
    """The arguments of a module that are run as SQL, and what calls hand to parameters which are."""
    names = {"execute": 0, "executemany": 0, "copy_expert": 0, "execute_values": 1}
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        arguments = [argument.arg for argument in function.args.args]
        for node in ast.walk(function):
            name = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in names and isinstance(node.args[names[name]], ast.Name) and node.args[names[name]].id in arguments:
                where = arguments.index(node.args[names[name]].id)
                yield from (call.args[where] for call in ast.walk(tree) if isinstance(call, ast.Call)
                            and getattr(call.func, "id", "") == function.name)
            elif name in names:
                yield node.args[names[name]]


def test_every_statement_is_a_literal_with_parameters():
    """No SQL of the hub is put together at run time, but for constants."""
    seen = 0
    for path in (config.REPOSITORY / "lib" / "hub").rglob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {name.id for node in tree.body if isinstance(node, ast.Assign) for name in ast.walk(node)
                     if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}

        def fixed(node, constants=constants):
            parts = {ast.BinOp: lambda: (node.left, node.right), ast.IfExp: lambda: (node.body, node.orelse),
                     ast.Subscript: lambda: (node.value,), ast.Dict: lambda: node.values,
                     ast.JoinedStr: lambda: node.values, ast.FormattedValue: lambda: (node.value,)}.get(type(node))
            if parts:
                return all(map(fixed, parts())) and not isinstance(getattr(node, "op", None), ast.Mod)
            return (isinstance(node, ast.Constant) or isinstance(node, ast.Name) and node.id in constants
                    or isinstance(node, ast.Attribute) and node.attr.isupper())

        for text in executed(tree):
            seen += 1
            assert fixed(text), f"{path.name}:{text.lineno}: {ast.unparse(text)[:80]}"
    assert seen > 60


# --- who may do what


@pytest.mark.parametrize("action", accounts.ACTIONS)
@pytest.mark.parametrize("role", accounts.ROLES)
def test_a_role_may_do_what_the_table_says(role, action):
    person = accounts.Account(1, "p", (role,))
    expected = {"supplier": {"submit", "own", "browse"}, "customer": {"browse", "select", "version", "download", "watch"},
                "premium": {"browse", "select", "version", "download", "watch", "train"},
                "reviewer": {"browse", "review"}, "admin": {"browse", "accounts"}}[role]
    assert accounts.is_allowed(person, action) == (action in expected)
    if action not in expected:
        with pytest.raises(accounts.Forbidden, match="may not"):
            accounts.database_role(person, action)


# What PostgreSQL itself allows each role, whatever the program asks for: a statement, and who may run it.
RIGHTS = {
    "SELECT count(*) FROM hub.published": "supplier customer premium reviewer admin work",
    "SELECT id, name, active FROM hub.person": "reviewer admin work",
    "INSERT INTO hub.person (name, token) SELECT 'x', 'y' WHERE false": "admin",
    "UPDATE hub.person SET token = NULL WHERE false": "admin",
    "UPDATE hub.person SET name = 'x' WHERE false": "",
    "DELETE FROM hub.person": "",
    "DELETE FROM hub.person_role WHERE false": "admin",
    "SELECT count(*) FROM hub.picture": "supplier reviewer work",
    "SELECT count(*) FROM hub.batch": "supplier reviewer work",
    "SELECT count(*) FROM hub.position": "supplier",
    "SELECT token FROM hub.person": "",
    "SELECT count(*) FROM hub.person_role": "admin work",
    "SELECT count(*) FROM hub.finding": "supplier reviewer work",
    "SELECT count(*) FROM hub.watch": "customer premium work",
    "SELECT count(*) FROM hub.training": "premium work",
    "SELECT count(*) FROM hub.version": "customer premium work",
    "SELECT count(*) FROM hub.review": "reviewer work",
    "DELETE FROM hub.picture": "",
    "DELETE FROM hub.submission": "",
    "UPDATE hub.picture SET status = 'accepted' WHERE false": "reviewer work",
    "UPDATE hub.picture SET licence = 'MIT' WHERE false": "",
    "UPDATE hub.version SET pictures = 1 WHERE false": "",
    "UPDATE hub.tally SET change = 0": "",
    "INSERT INTO hub.review (picture, person, verdict, was) SELECT 1, 1, 'accept', '' WHERE false": "reviewer",
    "INSERT INTO hub.training (version, requested_by, request) SELECT 1, 1, '{}' WHERE false": "premium",
    "INSERT INTO hub.person_role SELECT 1, 'premium' WHERE false": "admin",
    "INSERT INTO hub.licence SELECT 'a', 'b', 'c' WHERE false": "",
    "DROP TABLE hub.tag": "",
    "CREATE TABLE hub.mine (a int)": "",
}


def test_postgresql_itself_holds_each_role_to_its_rights(hub, crowd):
    actions = {"supplier": "submit", "customer": "select", "premium": "train", "reviewer": "review", "admin": "accounts", "work": "work"}
    for statement, who_may in RIGHTS.items():
        allowed = set()
        for who, action in actions.items():
            try:
                with hub.transaction(accounts.OPERATOR if who == "work" else crowd[who], action) as cursor:
                    cursor.execute(statement)
                allowed.add(who)
            except accounts.Forbidden:
                pass
        assert allowed == set(who_may.split()), statement


def test_a_supplier_sees_nothing_of_another_and_cannot_accept_pictures(hub, crowd):
    receipt = send(hub, crowd["supplier"], {"a.jpg": picture(0, 1)}, labels=["ring"], place="Perth, AU")
    assert submission.status(hub, crowd["supplier"], receipt.batch)["counts"] == {"submitted": 1}
    with pytest.raises(ValueError, match="has no batch"):
        submission.status(hub, crowd["other"], receipt.batch)
    with hub.transaction(crowd["other"], "own") as cursor:
        for table in ("picture", "batch", "submission", "tag"):
            cursor.execute({"picture": "SELECT count(*) FROM hub.picture", "batch": "SELECT count(*) FROM hub.batch",
                            "submission": "SELECT count(*) FROM hub.submission", "tag": "SELECT count(*) FROM hub.tag"}[table])
            assert cursor.fetchone() == (0,), table
    assert selection.pictures(hub, crowd["other"], [1]) == []
    with pytest.raises(accounts.Forbidden, match="may not review"):
        reviews.decide(hub, crowd["supplier"], 1, "accept")
    for values in (("other", "submitted"), ("supplier", "accepted")):   # for someone else, or accepted at once
        with pytest.raises(accounts.Forbidden, match="row-level security"), hub.transaction(crowd["supplier"], "submit") as cursor:
            cursor.execute("INSERT INTO hub.picture (sha256, bytes, clean_sha256, clean_bytes, format, width, height, name, "
                           "licence, person, batch, status) SELECT repeat('a', 64), 1, repeat('a', 64), 1, 'JPEG', 9, 9, "
                           "'x', 'MIT', %s, %s, %s", (crowd[values[0]].id, receipt.batch, values[1]))


def test_a_token_is_told_once_and_kept_as_a_hash(hub):
    person, token = accounts.add(hub, "zoe", ["supplier", "customer"])
    assert accounts.find_by_token(hub, token) == person and accounts.find_by_token(hub, token + "x") is None
    assert token not in str(rows(hub, "SELECT * FROM hub.person"))
    with pytest.raises(ValueError, match="there is a person 'zoe' already"):
        accounts.add(hub, "zoe", ["supplier"])
    with pytest.raises(ValueError, match="must be some of supplier"):
        accounts.add(hub, "max", ["boss"])


def test_an_admin_adds_accounts_changes_them_and_renews_tokens_and_nobody_else_does(hub, crowd):
    admin = crowd["admin"]
    made, token = accounts.add(hub, "zoe", ["supplier"], by=admin)
    assert accounts.find_by_token(hub, token) == made
    accounts.change(hub, admin, made.id, roles=["customer", "reviewer"])
    assert accounts.find(hub, "zoe").roles == ("customer", "reviewer")
    renewed = accounts.renew_token(hub, admin, made.id)
    assert accounts.find_by_token(hub, token) is None and accounts.find_by_token(hub, renewed).id == made.id
    accounts.change(hub, admin, made.id, active=False)
    assert accounts.find_by_token(hub, renewed) is None
    listed = {each["name"]: each for each in accounts.list_all(hub, admin)}
    assert len(listed) == len(crowd) + 1 and not listed["zoe"]["active"] and not any("token" in each for each in listed.values())
    accounts.change(hub, admin, made.id, active=True)
    assert accounts.find_by_token(hub, renewed).roles == ("customer", "reviewer")
    for facts in ({"active": False}, {"roles": ["supplier"]}):
        with pytest.raises(ValueError, match="from yourself"):
            accounts.change(hub, admin, admin.id, **facts)
    with pytest.raises(ValueError, match="must be some of"):
        accounts.change(hub, admin, made.id, roles=["boss"])
    for call in (accounts.change, accounts.renew_token):
        with pytest.raises(ValueError, match="no account 999"):
            call(hub, admin, 999)
    for role in set(accounts.ROLES) - {"admin"}:
        for call in (lambda who: accounts.add(hub, "eve", ["admin"], by=who), lambda who: accounts.list_all(hub, who),
                     lambda who: accounts.change(hub, who, who.id, roles=["admin"]),
                     lambda who: accounts.renew_token(hub, who, admin.id)):
            with pytest.raises(accounts.Forbidden, match="takes the role admin"):
                call(crowd[role])


# --- coming in


def state(hub):
    return [rows(hub, f"SELECT * FROM hub.{table} ORDER BY 1, 2") for table in
            ("picture", "batch", "submission", "tag", "label", "annotation", "position")]


def test_the_same_submission_twice_changes_nothing(hub, crowd, tmp_path):
    source = folder(tmp_path / "in", {"ring": 0, "bar": 1})
    first = submission.submit(hub, crowd["supplier"], source, licence=LICENCE, labels=["drawn"], place="Perth, AU")
    before = state(hub)
    assert (first.new, first.known, first.refused) == (8, 0, 0)
    assert submission.submit(hub, crowd["supplier"], source, licence=LICENCE, labels=["drawn"], place="Perth, AU") == first
    again = [sources.Item(f"ring/{n:03}.jpg", picture(0, n), {"licence": LICENCE}) for n in range(4)]
    assert state(hub) == before
    other = submission.receive(hub, crowd["other"], "k", again)   # what someone else sent before stays theirs
    assert (other.new, other.known) == (0, 4) and len(rows(hub, "SELECT 1 FROM hub.picture")) == 8


def test_a_stopped_submission_goes_on_where_it_was(hub, crowd, tmp_path, monkeypatch):
    source, read = folder(tmp_path / "in", {"ring": 0}, count=20), []
    whole = sources.items(hub, str(source))

    def stop():
        for number, item in enumerate(whole):
            if number == 16:
                raise KeyboardInterrupt
            yield item

    key = {"licence": LICENCE}
    with pytest.raises(KeyboardInterrupt):
        submission.receive(hub, crowd["supplier"], "k", stop(), values=key)
    assert len(rows(hub, "SELECT 1 FROM hub.submission")) == 14   # two whole chunks of seven
    monkeypatch.setattr(sources.Item, "read", lambda self: read.append(self.name) or self.data())
    receipt = submission.receive(hub, crowd["supplier"], "k", sources.items(hub, str(source)), values=key)
    assert receipt.new == 20 and len(read) == 6


def outcomes(hub, person, batch):
    return {each["name"]: each["outcome"] for each in submission.status(hub, person, batch)["files"]}


def stamped(name, data):
    return sources.Item(name, data, {"licence": LICENCE}, hashlib.sha256(data).hexdigest())


def test_files_of_one_name_in_one_upload_are_refused_before_any_is_taken(hub, crowd):
    three = [stamped("box.jpg", picture(0, n)) for n in range(3)]
    with pytest.raises(ValueError, match="3 of the files are named 'box.jpg'"):
        uploads.receive(hub, crowd["supplier"], "k", [stamped("other.jpg", picture(0, 9)), *three])
    assert not rows(hub, "SELECT 1 FROM hub.picture")


def test_another_picture_of_a_name_that_the_batch_has_is_refused_and_the_first_keeps_its_receipt(hub, crowd):
    first = uploads.receive(hub, crowd["supplier"], "k", [stamped("box.jpg", picture(0, 1)), stamped("bad.jpg", b"text")])
    with pytest.raises(ValueError, match="another picture named 'box.jpg' already"):
        uploads.receive(hub, crowd["supplier"], "k", [stamped("new.jpg", picture(0, 3)), stamped("box.jpg", picture(0, 2))])
    assert uploads.receive(hub, crowd["supplier"], "k", [stamped("box.jpg", picture(0, 1))])["new"] == 1   # the same again
    put_right = uploads.receive(hub, crowd["supplier"], "k", [stamped("bad.jpg", picture(0, 4))])
    assert put_right["files"] == [{"name": "bad.jpg", "outcome": "new", "reason": ""}]
    assert outcomes(hub, crowd["supplier"], first["batch"]) == {"box.jpg": "new", "bad.jpg": "new"}
    assert len(rows(hub, "SELECT 1 FROM hub.picture")) == 2
    assert uploads.receive(hub, crowd["supplier"], "other-batch", [stamped("box.jpg", picture(0, 2))])["new"] == 1


def test_a_file_that_changed_between_submissions_keeps_both_receipts(hub, crowd, tmp_path):
    source = folder(tmp_path / "in", {"ring": 0}, count=2)
    batch = submission.submit(hub, crowd["supplier"], source, licence=LICENCE).batch
    path = source / "ring" / "000.jpg"
    for data, told in ((picture(0, 30), {"new": 3}), (b"no picture", {"new": 3, "refused": 1})):
        path.write_bytes(data)
        for _ in range(2):   # sent twice, it changes nothing
            receipt = submission.submit(hub, crowd["supplier"], source, licence=LICENCE)
            assert receipt.batch == batch and {"new": receipt.new, **({"refused": receipt.refused} if receipt.refused else {})} == told
    found = outcomes(hub, crowd["supplier"], batch)
    assert found.pop("ring/000.jpg") == found.pop("ring/001.jpg") == "new" and sorted(found.values()) == ["new", "refused"]
    assert not hub_load.totals(hub)["pictures_without_their_file"]


def test_a_csv_that_names_a_picture_twice_is_refused_with_both_lines(hub, crowd, tmp_path):
    (tmp_path / "a.jpg").write_bytes(picture(0, 1))
    (tmp_path / "labels.csv").write_text("image,label\na.jpg,ring\na.jpg,bar\n")
    with pytest.raises(ValueError, match="lines 2 and 3 of .* both name 'a.jpg'"):
        submission.submit(hub, crowd["supplier"], tmp_path / "labels.csv", licence=LICENCE)


NESTED = functools.reduce(lambda inner, _: [inner], range(100_000), [])
BAD = {  # what a stranger may send to each action
    "review note": lambda hub, who, bad: reviews.decide(hub, who["reviewer"], 1, "accept", note=bad),
    "review label": lambda hub, who, bad: reviews.decide(hub, who["reviewer"], 1, "accept", [bad]),
    "review picture": lambda hub, who, bad: reviews.decide(hub, who["reviewer"], bad, "accept"),
    "query label": lambda hub, who, bad: selection.select(hub, who["customer"], {"labels": [bad]}),
    "query value": lambda hub, who, bad: selection.select(hub, who["customer"], {"labels": bad}),
    "query place": lambda hub, who, bad: selection.select(hub, who["customer"], {"places": [bad]}),
    "query licence": lambda hub, who, bad: selection.select(hub, who["customer"], {"licences": [bad]}),
    "watch": lambda hub, who, bad: selection.watch(hub, who["customer"], {}, bad),
    "withdraw": lambda hub, who, bad: selection.withdraw(hub, who["customer"], bad),
    "version": lambda hub, who, bad: versions.find(hub, bad),
    "batch": lambda hub, who, bad: submission.status(hub, who["supplier"], bad),
    "batch key": lambda hub, who, bad: uploads.wanted(hub, who["supplier"], bad, {}),
    "file's name": lambda hub, who, bad: uploads.receive(hub, who["supplier"], "k", [sources.Item(bad, picture(0, 2), {}, "s")]),
    "training": lambda hub, who, bad: trainings.enqueue(hub, who["premium"], bad),
    "training's settings": lambda hub, who, bad: trainings.enqueue(hub, who["premium"], 1, {"model.backbone": bad}),
    "training's number": lambda hub, who, bad: trainings.cancel(hub, who["premium"], bad),
    "label of a task": lambda hub, who, bad: submission.annotate(hub, who["supplier"], "0" * 64, "boats", {"boxes": bad}),
    "task": lambda hub, who, bad: submission.annotate(hub, who["supplier"], "0" * 64, bad, {}),
    "new account": lambda hub, who, bad: accounts.add(hub, bad, ["supplier"]),
    "account": lambda hub, who, bad: accounts.find(hub, bad),
}
VALUES = {"NUL": "a\0b", "half a character": "\ud800", "over bigint": 2**70, "negative": -1, "nested JSON": "[" * 50_000,
          "nested lists": NESTED, "list": ["a"], "long": "a" * 200_000}


@pytest.mark.parametrize("kind", VALUES)
def test_values_that_nothing_can_have_are_refused_in_words(hub, crowd, kind):
    send(hub, crowd["supplier"], {"a.jpg": picture(0, 1)})
    verification.verify(hub)
    for what, call in BAD.items():
        try:
            call(hub, crowd, VALUES[kind])
        except (ValueError, LookupError) as error:   # of which the web app makes 422 and 404
            assert not isinstance(error, UnicodeError) and type(error) is not KeyError, (what, error)
            assert len(str(error)) < 1000 and str(error).isprintable(), (what, str(error)[:200])
        except (TypeError, AttributeError, RecursionError):   # of a type that the web app does not let in
            assert not what.startswith(("query", "training's settings")), what


def test_texts_of_a_submission_that_postgresql_cannot_take_spoil_no_other_file(hub, crowd):
    for number, bad in enumerate(("a\0b", "\ud800", "[" * 50_000)):
        items = [sources.Item("a.jpg", picture(0, 10 + number), {"licence": LICENCE, "author": bad}),
                 sources.Item("b.jpg", picture(0, 20 + number), {"licence": LICENCE, "labels": [bad]}),
                 sources.Item("c.jpg", picture(0, 30 + number), {"licence": LICENCE, "place": bad}),
                 sources.Item("d.jpg", picture(0, 40 + number), {"licence": LICENCE, "task": "boats", "label": {"boxes": bad}}),
                 sources.Item("e.jpg", picture(0, 50 + number), {"licence": LICENCE})]
        receipt = submission.receive(hub, crowd["supplier"], f"k{number}", items)
        found = outcomes(hub, crowd["supplier"], receipt.batch)
        assert found == {"a.jpg": "new", "b.jpg": "refused", "c.jpg": "refused", "d.jpg": "refused", "e.jpg": "new"}
    assert "\0" not in str(rows(hub, "SELECT author FROM hub.picture"))


def test_a_file_whose_name_is_not_utf8_is_taken_with_an_escaped_name(hub, crowd, tmp_path):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/box\xff.jpg", "wb") as file:
        file.write(picture(0, 1))
    (tmp_path / "in" / "good.jpg").write_bytes(picture(0, 2))
    for _ in range(2):
        receipt = submission.submit(hub, crowd["supplier"], tmp_path / "in", licence=LICENCE)
        assert outcomes(hub, crowd["supplier"], receipt.batch) == {"box\\udcff.jpg": "new", "good.jpg": "new"}


def test_a_label_nested_too_deeply_is_refused_where_it_comes_in():
    with pytest.raises(ValueError, match="boxes is JSON nested too deeply"):
        annotations.checked("boats", {"boxes": "[" * 50_000})


def zipped(path, files, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_an_archive_and_a_url_are_taken_like_a_folder(hub, crowd, tmp_path):
    import fsspec

    files = {f"{label}/{n}.jpg": picture(kind, n) for label, kind in (("ring", 0), ("bar", 1)) for n in range(3)}
    path = zipped(tmp_path / "in.zip", files)
    assert submission.submit(hub, crowd["supplier"], path, licence=LICENCE).new == 6
    with fsspec.open("memory://elsewhere/in.zip", "wb") as file:
        file.write(path.read_bytes())
    assert submission.submit(hub, crowd["supplier"], "memory://elsewhere/in.zip", licence=LICENCE).known == 6
    assert dict(rows(hub, "SELECT name, count(*) FROM hub.tag JOIN hub.label ON id = label GROUP BY 1")) == {"ring": 3, "bar": 3}


def test_a_hostile_archive_is_refused_whole(hub, crowd, tmp_path):
    hub = access.Hub(config.Params(hub.params.plain() | {"hub": hub.params.hub.plain() | {"max_files": 50}}))
    for names, message in ((["../../etc/cron.d/x.jpg"], "leads out"), (["/etc/x.jpg"], "leads out"),
                           (["C:\\x.jpg"], "leads out"), (["a.jpg", "b\n.jpg"], "control characters"),
                           ([f"{n}.jpg" for n in range(100_000)], "hub.max_files is 50")):
        path = zipped(tmp_path / "in.zip", dict.fromkeys(names, b"x"))
        with pytest.raises(ValueError, match=message):
            submission.submit(hub, crowd["supplier"], path, licence=LICENCE)
    assert not rows(hub, "SELECT 1 FROM hub.submission")


def test_bombs_links_and_damaged_archives_are_refused(hub, crowd, tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", {"a.jpg": bytes(9 * 2**20)}, compression=zipfile.ZIP_DEFLATED)
    link = tmp_path / "link.zip"
    with zipfile.ZipFile(link, "w") as archive:
        entry = zipfile.ZipInfo("a.jpg")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    cut = tmp_path / "cut.zip"
    cut.write_bytes(bomb.read_bytes()[:-30])
    text = tmp_path / "text.zip"
    text.write_text("no archive")
    large = zipped(tmp_path / "large.zip", {f"{n}.jpg": bytes(2**20) for n in range(5)})
    small = access.Hub(config.Params(hub.params.plain() | {"hub": hub.params.hub.plain() | {"max_unpacked": 4e6}}))
    for path, which, message in ((bomb, hub, "no picture does that"), (link, hub, "holds a link"), (cut, hub, "damaged ZIP"),
                                 (text, hub, "no ZIP archive"), (large, small, "hub.max_unpacked")):
        with pytest.raises(ValueError, match=message):
            submission.submit(which, crowd["supplier"], path, licence=LICENCE)


def test_a_file_that_is_no_picture_is_refused_with_its_reason_and_spoils_no_other(hub, crowd, tmp_path):
    good = picture(0, 1)
    (tmp_path / "in").mkdir()
    (tmp_path / "outside.jpg").write_bytes(picture(0, 2))
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    for name, data in {"good.jpg": good, "text.jpg": b"hello", "png.jpg": b"\x89PNG\r\n\x1a\n" + good, "jpg.exe": good,
                       "cut.jpg": good[:900], "empty.jpg": b"", "jpeg.png": good}.items():
        (tmp_path / "in" / name).write_bytes(data)
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    receipt = submission.submit(hub, crowd["supplier"], tmp_path / "in", licence=LICENCE)
    status = submission.status(hub, crowd["supplier"], receipt.batch)
    found = {each["name"]: each["reason"] for each in status["files"]}
    assert receipt.new == 1 and receipt.refused == 8 and found["good.jpg"] == ""
    for name, words in {"text.jpg": "not a JPEG", "png.jpg": "ends in .jpg and the file is a PNG", "jpg.exe": "ends in .exe",
                        "cut.jpg": "damaged", "empty.jpg": "no bytes", "jpeg.png": "ends in .png and the file is a JPEG",
                        "link.jpg": "leads out", "pipe.jpg": "not a plain file"}.items():
        assert words in found[name], (name, found[name])


def test_a_csv_brings_labels_of_a_task(hub, crowd, tmp_path):
    corners = {f"p{n}{axis}": value for n, pair in enumerate(((20, 20), (300, 25), (290, 220), (25, 210)), 1)
               for axis, value in zip("xy", pair, strict=True)}
    (tmp_path / "a.jpg").write_bytes(picture(0, 1))
    (tmp_path / "b.jpg").write_bytes(picture(0, 2))
    names = ["image", "labels", "row_nb", *corners]
    lines = [names, ["a.jpg", "ring;box", 3, *corners.values()], ["b.jpg", "", "three", *corners.values()]]
    (tmp_path / "labels.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    receipt = submission.submit(hub, crowd["supplier"], tmp_path / "labels.csv", licence=LICENCE, task="corners")
    assert receipt.new == 1 and receipt.reasons == {"row_nb is 'three', not a whole number": 1}
    (label,), = rows(hub, "SELECT label FROM hub.annotation")
    assert label == {**corners, "row_nb": 3} or label == {**{key: float(value) for key, value in corners.items()}, "row_nb": 3}
    with pytest.raises(ValueError, match="name the task"):
        submission.submit(hub, crowd["supplier"], tmp_path / "labels.csv", licence=LICENCE)


def test_sql_in_any_field_stays_text(hub, crowd):
    who = crowd["customer"]
    for number, text in enumerate(NASTY):
        words = {"key": text, "labels": [text.replace(";", "")], "author": text}
        receipt = send(hub, crowd["supplier"], {f"{text.replace('/', '')}.jpg": picture(0, number)}, **words)
        assert receipt.new + receipt.refused == 1
        for values in ({"licence": text}, {"place": text}):
            assert send(hub, crowd["supplier"], {"b.jpg": picture(0, 2)}, key=text + str(values), **values).refused == 1
        for query in ({"labels": [text + "?"]}, {"places": [text]}, {"licences": [text]}, {"task": text}, {"since": text},
                      {"until": text}, {text: 1}, {"quality": text}, {"per_label": text}):
            with pytest.raises(ValueError):
                selection.select(hub, who, query)
        for call in (lambda text=text: accounts.find(hub, text), lambda text=text: versions.find(hub, text)):
            with pytest.raises(ValueError):
                call()
        assert accounts.find_by_token(hub, text) is None
        assert accounts.add(hub, text, ["supplier"])[0].name == accounts.find(hub, text).name == text
    assert len(rows(hub, "SELECT 1 FROM hub.batch")) == 3 * len(NASTY)


# --- metadata


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_is_given_out_shows_the_same_and_tells_nothing(orientation, kind):
    file = io.BytesIO()
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text("Author", "A. Smith")
    Image.fromarray(pixels(0, 3)).save(file, kind, exif=exif(orientation), **({"pnginfo": about} if kind == "PNG" else
                                                                             {"comment": b"A. Smith was here"}))
    data = file.getvalue() + (b"" if kind == "PNG" else picture(0, 4, exif=exif()))   # a second picture, as in MPO
    clean = metadata.strip(data, images.orientation(data))
    assert images.orientation(clean) == orientation
    assert np.array_equal(images.read(clean).pixels, images.read(file.getvalue()).pixels)
    for secret in (b"Smith", b"SERIAL-4711", b"2024:05:06", b"GPS"):
        assert secret not in clean
    assert metadata.read_exif(clean).position is None and metadata.strip(clean, orientation) == clean


def test_metadata_that_is_cut_or_wild_is_no_harm():
    data = picture(0, 1, exif=exif())
    told = metadata.read_exif(data)
    assert told.position == (-31.95, 115.86) and told.author == "A. Smith" and told.taken.year == 2024
    for at in range(2, 600, 7):
        metadata.read_exif(data[:at] + b"\xff\xfe" + data[at + 2:])
        with pytest.raises(ValueError):
            metadata.strip(data[:at], 1)


def test_a_position_is_kept_with_consent_only_and_never_given_out(hub, crowd):
    open_one, _ = accounts.add(hub, "open", ["supplier"], keep_position=True)
    send(hub, crowd["supplier"], {"a.jpg": picture(0, 1, exif=exif())})
    send(hub, open_one, {"b.jpg": picture(0, 2, exif=exif())})
    verification.verify(hub)
    assert rows(hub, "SELECT latitude, longitude FROM hub.position") == [(-31.95, 115.86)]
    assert {place["city"] for place in selection.places(hub, crowd["customer"])} == {"Perth"}
    found = versions.create(hub, crowd["customer"], {})
    sent = b"".join(export.stream_tar(hub, crowd["customer"], found.id, export.FORMATS))
    assert found.pictures == 2 and b"SERIAL-4711" not in sent and b"115.86" not in sent and b"Exif" not in sent


# --- places and labels


def test_places_are_found_by_name_and_by_position(hub):
    for text, city, country in (("Perth, AU", "Perth", "AU"), ("Kalgoorlie, Australia", "Kalgoorlie", "AU"), ("Chile", "", "CL"),
                                ("Springfield, Illinois", "Springfield", "US"), ("münchen, de", "Munich", "DE")):
        found = geocoding.locate(hub, text)
        assert (found.city, found.country) == (city, country), text
    assert geocoding.locate(hub, position=(40.7128, -74.006)).country == "US"
    assert geocoding.locate(hub, position=(-25.0, 130.0)) == geocoding.Place(country="AU")   # nothing near
    assert geocoding.locate(hub) == geocoding.Place()
    with pytest.raises(ValueError, match="no place is called"):
        geocoding.locate(hub, "Nowhereville, AU")


def test_a_hierarchy_in_open_images_form_is_loaded_once(hub, tmp_path):
    tree = {"LabelName": "/m/0bl9f", "Subcategory": [
        {"LabelName": "/m/a", "Subcategory": [{"LabelName": "/m/dog"}, {"LabelName": "/m/seal"}]},
        {"LabelName": "/m/w", "Subcategory": [{"LabelName": "/m/seal"}], "Part": [{"LabelName": "/m/fin"}]}]}
    (tmp_path / "tree.json").write_text(json.dumps(tree))
    (tmp_path / "names.csv").write_text("/m/a,Animal\n/m/w,Water animal\n/m/dog,Dog\n/m/seal,Seal\n/m/fin,Fin\n")
    for _ in range(2):
        assert label_hierarchy.load(hub, tmp_path / "tree.json", tmp_path / "names.csv") == (6, 5)
    with hub.owner_transaction() as cursor:
        ids = dict(zip(("Animal", "Dog", "Seal"), label_hierarchy.find_ids(cursor, ["animal", "/m/dog", "SEAL"]), strict=True))
        assert len(label_hierarchy.tree(cursor)) == 6
        cursor.execute("SELECT name FROM hub.label WHERE id IN (SELECT hub.above(%s))", ([ids["Seal"]],))
        assert {name for name, in cursor.fetchall()} == {"Seal", "Animal", "Water animal", "Entity"}
    for circle in ({"LabelName": "/m/dog", "Subcategory": [{"LabelName": "/m/a"}]},   # with what is there, in itself, with itself
                   {"LabelName": "x", "Subcategory": [{"LabelName": "y", "Subcategory": [{"LabelName": "x"}]}]},
                   {"LabelName": "x", "Subcategory": [{"LabelName": "x"}]}):
        (tmp_path / "circle.json").write_text(json.dumps(circle))
        with pytest.raises(ValueError, match="above and below another one"):
            label_hierarchy.load(hub, tmp_path / "circle.json")
    (tmp_path / "bad.json").write_text('{"LabelName": 3, "Subcategory": 5}')
    with pytest.raises(ValueError, match="no hierarchy in Open Images' form"):
        label_hierarchy.load(hub, tmp_path / "bad.json")


def test_the_600_classes_of_open_images_load(hub):
    if not (real := os.environ.get("COREBOX_REAL_DATA")):
        pytest.skip("COREBOX_REAL_DATA is not set")
    where = Path(real) / "openimages" / "metadata"
    labels, _ = label_hierarchy.load(hub, where / "bbox_labels_600_hierarchy.json", where / "class-descriptions-boxable.csv")
    assert labels == 602
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT count(*) FROM hub.under(%s)", (label_hierarchy.find_ids(cursor, ["Animal"]),))
        assert cursor.fetchone()[0] > 90


# --- verification


def spoilt():
    import cv2

    sharp = pixels(0, 50)
    return {"dark.jpg": jpeg((sharp * 0.05).astype(np.uint8)), "bright.jpg": jpeg(255 - (sharp * 0.05).astype(np.uint8)),
            "blurred.jpg": jpeg(cv2.GaussianBlur(pixels(0, 51), (0, 0), 9)), "tiny.jpg": jpeg(pixels(0, 52, (60, 50))),
            "long.jpg": jpeg(pixels(0, 53, (640, 100))), "plain.jpg": jpeg(np.full((240, 320, 3), 120, np.uint8)),
            "good.jpg": picture(0, 54)}


def test_each_decision_has_its_reason_and_its_figure(hub, crowd):
    batch = send(hub, crowd["supplier"], spoilt()).batch
    assert verification.verify(hub)["refused"] >= 4
    found = {each["name"]: each for each in submission.status(hub, crowd["supplier"], batch)["files"]}
    for name, check, status in (("dark.jpg", "dark", "review"), ("bright.jpg", "bright", "review"), ("blurred.jpg", "blur", None),
                                ("tiny.jpg", "size", "refused"), ("long.jpg", "aspect", "refused"),
                                ("plain.jpg", "information", "refused"), ("good.jpg", None, "accepted")):
        reasons = {each["check"]: each for each in found[name]["findings"]}
        assert set(reasons) == {check} - {None} or check in reasons, (name, reasons)
        if check:
            assert reasons[check]["reason"] and reasons[check]["figure"] is not None and reasons[check]["limit"] is not None
        assert status in (None, found[name]["status"]), (name, found[name])
    assert len(rows(hub, "SELECT 1 FROM hub.finding WHERE verdict = 'accept'")) > 20   # good figures are kept too


def in_the_dark(box, share, light):
    """The bytes of a black picture with a box on `share` of its area, at `light` of its own brightness."""
    import cv2

    canvas = np.zeros((960, 1280, 3), np.uint8)
    width, height = int(1280 * share ** 0.5), int(960 * share ** 0.5)
    top, left = (960 - height) // 3, (1280 - width) // 3
    canvas[top:top + height, left:left + width] = cv2.resize((box * light).astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    return jpeg(canvas)


def refusals(data, *verdicts):
    return {finding.name for finding in checks.judge(checks.measure(data, config.resolve_group("api")), config.resolve_group("hub"))
            if finding.verdict in (verdicts or ("refuse",))}


@pytest.mark.parametrize("light", [1.0, 0.3, 0.1])
def test_a_sharp_box_of_core_in_the_dark_is_not_refused(light):
    task = tasks.job("corners", "smoke")
    for number in range(6):
        box = images.read(task.sample(np.random.default_rng((5, number)), (640, 480))[0]).pixels
        for share in (0.9, 0.5, 0.3, 0.12):
            assert refusals(in_the_dark(box, share, light), "refuse", "review") <= {"dark", "blur"}, (number, share)


@pytest.mark.parametrize("light", [1.0, 0.3])
def test_real_core_in_the_dark_is_not_refused(light):
    if not (real := os.environ.get("COREBOX_REAL_DATA")):
        pytest.skip("COREBOX_REAL_DATA is not set")
    for path in sorted(Path(real, "coreboxes").glob("*labelled/*.jp*g"))[:24]:
        for share in (0.5, 0.12):
            found = refusals(in_the_dark(images.read(path, at_least=(640, 480)).pixels, share, light), "refuse", "review")
            assert found <= {"dark", "blur"}, (path.name, share)


def test_a_picture_that_shows_nothing_anywhere_is_refused():
    rng = np.random.default_rng(0)
    for plain in (np.zeros((240, 320, 3)), np.full((240, 320, 3), 128.0), rng.normal(6, 1, (240, 320, 3)).clip(0, 255)):
        assert "information" in refusals(jpeg(plain.astype(np.uint8), 100))


@pytest.mark.parametrize("size", [(240, 320), (960, 1280)])
@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("level", [6, 20, 60])
def test_noise_alone_is_reviewed_or_refused_however_much_of_it(level, quality, size):
    rng = np.random.default_rng(level)
    for channels in (1, 3):
        noise = np.broadcast_to(rng.normal(110, level, (*size, channels)).clip(0, 255).astype(np.uint8), (*size, 3))
        assert refusals(jpeg(noise, quality), "refuse", "review") & {"noise", "information"}


def test_a_reviewer_sees_what_a_check_refused_and_can_overturn_it(hub, crowd):
    send(hub, crowd["supplier"], {"plain.jpg": jpeg(np.full((240, 320, 3), 120, np.uint8)), "good.jpg": picture(0, 1)})
    long = pixels(0, 53, (640, 100))
    send(hub, crowd["other"], {"copy.jpg": picture(0, 1, quality=50), "long.jpg": jpeg(long)})
    assert verification.verify(hub)["refused"] == 3
    reviewer = crowd["reviewer"]
    assert reviews.waiting(hub, reviewer) == {"submitted": 0, "review": 0, "refused": 3, "refused_by_check": 3}
    found = {finding["check"]: each for each in reviews.queue(hub, reviewer, refused=True) for finding in each["findings"]}
    assert set(found) == {"information", "blur", "duplicate", "aspect"} and all(each["findings"][0]["reason"] for each in found.values())
    assert reviews.queue(hub, reviewer) == []
    reviews.decide(hub, reviewer, found["aspect"]["picture"], "accept")
    reviews.decide(hub, reviewer, found["information"]["picture"], "refuse")
    assert [each["picture"] for each in reviews.queue(hub, reviewer, refused=True)] == [found["duplicate"]["picture"]]
    send(hub, crowd["other"], {"again.jpg": jpeg(long, 60)}, key="later")   # another copy of what was overturned
    rows(hub, "INSERT INTO hub.review (picture, person, verdict, was) SELECT id, %s, 'accept', 'x' FROM hub.picture "
         "WHERE name = 'again.jpg' RETURNING 1", reviewer.id)
    verification.verify(hub)
    twin = rows(hub, "SELECT other FROM hub.finding JOIN hub.picture ON picture.id = picture WHERE picture.name = 'again.jpg' "
                "AND finding.name = 'duplicate'")
    assert twin in ([(found["aspect"]["picture"],)], []) and rows(hub, "SELECT 1 FROM hub.fingerprint WHERE picture = %s",
                                                                    found["aspect"]["picture"])


def test_of_twins_one_is_refused_whichever_is_verified_first(hub, crowd):
    one = pixels(1, 3, (640, 480))
    send(hub, crowd["supplier"], {"older.jpg": jpeg(one)}, key="a")
    rows(hub, "UPDATE hub.picture SET status = 'review' RETURNING 1")
    send(hub, crowd["other"], {"younger.jpg": jpeg(one, 40)}, key="b")
    verification.verify(hub)
    rows(hub, "UPDATE hub.picture SET status = 'submitted' WHERE name = 'older.jpg' RETURNING 1")
    verification.verify(hub)
    assert dict(rows(hub, "SELECT name, status FROM hub.picture")) == {"younger.jpg": "accepted", "older.jpg": "refused"}


def test_twins_are_found_across_batches_and_suppliers_and_others_are_not(hub, crowd):
    import cv2

    one = pixels(0, 7, (640, 480))
    send(hub, crowd["supplier"], {"one.jpg": jpeg(one), "two.jpg": jpeg(pixels(0, 8, (640, 480)))})
    verification.verify(hub)
    twins = {"encoded.jpg": jpeg(one, 40), "half.jpg": jpeg(cv2.resize(one, (320, 240), interpolation=cv2.INTER_AREA)),
             "cut.jpg": jpeg(one[12:-12, 16:-16]), "bright.jpg": jpeg((one * 1.15 + 8).clip(0, 255).astype(np.uint8))}
    batch = send(hub, crowd["other"], twins | {"own.jpg": jpeg(pixels(0, 9, (640, 480)))}).batch
    verification.verify(hub)
    found = {each["name"]: each["status"] for each in submission.status(hub, crowd["other"], batch)["files"]}
    assert found == {**dict.fromkeys(twins, "refused"), "own.jpg": "accepted"}
    others = rows(hub, "SELECT name FROM hub.picture WHERE id IN (SELECT other FROM hub.finding WHERE verdict = 'refuse')")
    assert {name for name, in others} - set(twins) == {"one.jpg"}


def test_a_wrong_label_goes_to_review_and_the_reviewer_puts_it_right(hub, crowd):
    items = [sources.Item(f"{label}/{n}.jpg", picture(kind, n), {"labels": [label], "licence": LICENCE})
             for label, kind in (("ring", 0), ("bar", 1)) for n in range(14)]
    items.append(sources.Item("wrong.jpg", picture(1, 90), {"labels": ["ring"], "licence": LICENCE}))
    submission.receive(hub, crowd["supplier"], "k", items)
    assert verification.verify(hub)["doubted"] >= 1
    queue = {tuple(each["labels"]): each for each in reviews.queue(hub, crowd["reviewer"])}
    wrong = next(each for each in reviews.queue(hub, crowd["reviewer"])
                 if rows(hub, "SELECT name FROM hub.picture WHERE id = %s", each["picture"]) == [("wrong.jpg",)])
    assert ("ring",) in queue and wrong["findings"][0]["reason"] == "it is labelled ring and looks like bar"
    reviews.decide(hub, crowd["reviewer"], wrong["picture"], "accept", ["bar"], "bars, clearly")
    assert selection.pictures(hub, crowd["customer"], [wrong["picture"]])[0]["labels"] == ["bar"]
    assert verification.verify(hub).get("doubted") == 0   # it is not asked again
    with pytest.raises(psycopg2.errors.RestrictViolation):
        rows(hub, "DELETE FROM hub.review RETURNING 1")


def test_points_out_of_order_go_to_review(hub, crowd):
    size = (640, 480)
    right = {"row_nb": 3, "p1x": 40., "p1y": 40., "p2x": 600., "p2y": 45., "p3x": 590., "p3y": 440., "p4x": 45., "p4y": 430.}
    turned = {**right, "p1x": right["p3x"], "p1y": right["p3y"], "p3x": right["p1x"], "p3y": right["p1y"]}
    for name, label in (("right", right), ("turned", turned)):
        send(hub, crowd["supplier"], {f"{name}.jpg": jpeg(pixels(0, len(name), size))}, key=name, task="corners", label=label)
    verification.verify(hub)
    assert dict(rows(hub, "SELECT name, status FROM hub.picture")) == {"right.jpg": "accepted", "turned.jpg": "review"}
    assert "out of order" in reviews.queue(hub, crowd["reviewer"])[0]["findings"][0]["reason"]


def test_corrected_labels_flow_back_for_review(hub, crowd):
    send(hub, crowd["supplier"], {"a.jpg": picture(0, 1)}, labels=["ring"])
    verification.verify(hub)
    sha256, = rows(hub, "SELECT sha256 FROM hub.picture")[0]
    label = {"row_nb": 3, **{f"p{n}{axis}": float(v) for n, pair in enumerate(((20, 20), (300, 25), (290, 220), (25, 210)), 1)
                             for axis, v in zip("xy", pair, strict=True)}}
    with pytest.raises(ValueError, match="there is no picture"):
        submission.annotate(hub, crowd["other"], sha256, "corners", label)
    with pytest.raises(ValueError, match="lacks p1x"):
        submission.annotate(hub, crowd["supplier"], sha256, "corners", {"row_nb": 3})
    submission.annotate(hub, crowd["supplier"], sha256, "corners", label, "api")
    verification.verify(hub)
    assert reviews.queue(hub, crowd["reviewer"])[0]["annotations"] == {"corners": label}


def test_suppliers_are_rated_by_what_could_be_used(hub, crowd):
    send(hub, crowd["supplier"], {"a.jpg": picture(0, 1), "b.jpg": picture(0, 2), "c.jpg": b"text", "d.jpg": spoilt()["plain.jpg"]})
    send(hub, crowd["other"], {"e.jpg": picture(0, 5)})
    verification.verify(hub)
    found = {each["name"]: each["quality"] for each in verification.supplier_quality(hub)}
    assert found == {"supplier": 0.5, "other": 1.0}


# --- choosing and downloading


@pytest.fixture
def filled(hub, crowd, tmp_path):
    """A hub with 12 verified pictures of rings and bars, which both are shapes, from two countries."""
    for number, (label, kind, place, licence) in enumerate((("ring", 0, "Perth, AU", LICENCE), ("bar", 1, "Chile", "CC0-1.0"))):
        items = {f"{n}.jpg": picture(kind, n, exif=exif()) for n in range(6)}
        send(hub, crowd["supplier"], items, key=f"k{number}", labels=[label], place=place, licence=licence, author="A. Smith")
    below = [{"LabelName": "ring"}, {"LabelName": "bar"}]
    (tmp_path / "shapes.json").write_text(json.dumps({"LabelName": "shape", "Subcategory": below}))
    label_hierarchy.load(hub, tmp_path / "shapes.json")
    verification.verify(hub)
    return hub


def test_a_query_finds_by_subtree_place_licence_quality_and_day(filled, crowd):
    who = crowd["customer"]

    def total(**query):
        return selection.select(filled, who, query).total

    assert total(labels=["shape"]) == total() == 12 and total(labels=["shape"], subtree=False) == 0
    assert total(labels=["ring"]) == total(labels=["ring"], subtree=False) == 6
    assert total(places=["AU"]) == total(places=["au/perth"]) == total(licences=[LICENCE]) == 6
    assert total(labels=["ring"], places=["CL"]) == 0 and total(quality=1.0) <= 12
    assert total(since="2000-01-01", until="2999-01-01") == 12 and total(since="2999-01-01") == 0
    assert total(labels=["ring", "bar"], per_label=2) == 4 and total(labels=["shape"], per_label=5) == 5
    assert total(per_label=1) == 2 and total(task="corners") == 0
    found = selection.select(filled, who, {"labels": ["shape", "bar"]})
    assert found.labels == {"shape": 12, "bar": 6} and found.places == {"AU/Perth": 6, "CL": 6}
    assert found.licences == {LICENCE: 6, "CC0-1.0": 6} and len(found.ids) == 12 and found.bytes > 10_000
    for query, message in (({"labels": ["dgo"]}, "no label 'dgo'"), ({"label": ["ring"]}, "did you mean 'labels'"),
                           ({"labels": "ring"}, "a list of texts"), ({"since": "yesterday"}, "a day such as"),
                           ({"places": ["XX"]}, "no picture comes from"), ({"licences": ["MITT"]}, "did you mean 'MIT'")):
        with pytest.raises(ValueError, match=message):
            selection.select(filled, who, query)


def test_maintained_counts_are_the_counted_ones(filled, crowd):
    counted = dict(rows(filled, "SELECT label.name, count(*) FROM hub.picture, unnest(filed) AS one JOIN hub.label ON label.id = one "
                        "WHERE status = 'accepted' GROUP BY 1"))
    assert selection.counts(filled, crowd["customer"]) == counted == {"shape": 12, "ring": 6, "bar": 6}
    first, = rows(filled, "SELECT min(picture) FROM hub.tag")[0]
    reviews.decide(filled, crowd["reviewer"], first, "refuse")
    with filled.owner_transaction() as cursor:
        cursor.execute("DELETE FROM hub.edge WHERE child = (SELECT id FROM hub.label WHERE name = 'bar')")
        cursor.execute("SELECT hub.sum_up()")
    assert selection.counts(filled, crowd["customer"]) == {"shape": 5, "ring": 5, "bar": 6}
    assert rows(filled, "SELECT 1 FROM hub.picture WHERE filed <> hub.filed(ARRAY(SELECT label FROM hub.tag "
                "WHERE picture = picture.id))") == []


def test_too_few_pictures_are_watched_for_until_enough_have_come(filled, crowd):
    who = crowd["customer"]
    with pytest.raises(selection.TooFew, match="ring 6") as few:
        versions.create(filled, who, {"labels": ["ring"]}, least=8)
    assert selection.fire_watches(filled) == []
    send(filled, crowd["other"], {f"{n}.jpg": picture(0, n) for n in range(20, 23)}, labels=["ring"])
    verification.verify(filled)
    assert selection.fire_watches(filled) == [few.value.watch] and selection.fire_watches(filled) == []
    assert selection.watches(filled, who)[0]["found"] == {"ring": 9}
    assert selection.watches(filled, crowd["premium"]) == []
    with pytest.raises(ValueError, match="no wish"):
        selection.withdraw(filled, who, few.value.watch)
    assert versions.create(filled, who, {"labels": ["ring"]}, least=8).pictures == 9


def test_a_version_never_changes_and_is_the_same_for_the_same_pictures(filled, crowd):
    who = crowd["customer"]
    first = versions.create(filled, who, {"labels": ["ring"]})
    sent = b"".join(export.stream_tar(filled, who, first.id, export.FORMATS))
    assert versions.create(filled, crowd["premium"], {"labels": ["ring"], "places": ["AU"]}).id == first.id
    send(filled, crowd["other"], {"x.jpg": picture(0, 31)}, labels=["ring"])
    verification.verify(filled)
    second = versions.create(filled, who, {"labels": ["ring"]})
    assert second.id != first.id and second.pictures == 7 and versions.find(filled, first.id) == first
    assert b"".join(export.stream_tar(filled, who, first.id, export.FORMATS)) == sent
    with pytest.raises(psycopg2.errors.RestrictViolation):
        rows(filled, "UPDATE hub.version SET pictures = 3 RETURNING 1")
    with pytest.raises(ValueError, match="no accepted picture"):
        versions.create(filled, who, {"labels": ["ring"], "places": ["CL"]})
    with pytest.raises(accounts.Forbidden):
        export.stream_tar(filled, crowd["supplier"], first.id)


def test_a_download_is_read_by_pandas_tensorflow_and_pycocotools(filled, crowd, tmp_path):
    import hashlib

    import pandas as pd
    from pycocotools.coco import COCO

    found = versions.create(filled, crowd["customer"], {})
    size = export.send(filled, crowd["customer"], found.id, f"{tmp_path}/out/set.tar", export.FORMATS)
    assert size == (tmp_path / "out" / "set.tar").stat().st_size and len(list((tmp_path / "out").iterdir())) == 1
    with tarfile.open(tmp_path / "out" / "set.tar") as archive:
        archive.extractall(tmp_path / "set", filter="data")
    table = pd.read_parquet(tmp_path / "set" / "manifest.parquet")
    lines = pd.read_json(tmp_path / "set" / "manifest.jsonl", lines=True)
    assert len(table) == len(lines) == 12 and set(table["country"]) == {"AU", "CL"}
    for row in table.itertuples():
        data = (tmp_path / "set" / row.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.sha256 and len(data) == row.bytes and b"SERIAL" not in data
        assert Path(row.path).parts[1] == row.labels[0]
    assert len(COCO(tmp_path / "set" / "coco.json").getImgIds()) == 12
    licences = pd.read_csv(tmp_path / "set" / "licences.csv").set_index("licence")
    assert licences.loc[LICENCE, "pictures"] == 6 and "by/4.0" in licences.loc[LICENCE, "url"]
    assert set(pd.read_csv(tmp_path / "set" / "authors.csv")["author"]) == {"A. Smith"}
    assert len(pd.read_csv(tmp_path / "set" / "image-labels.csv")) == 12
    _read_by_tensorflow(tmp_path / "set", table)


def _read_by_tensorflow(folder, table):
    """As Keras reads folders by label, and as tf.data reads the files that the manifest lists."""
    import keras
    import tensorflow as tf

    batches = keras.utils.image_dataset_from_directory(folder / "images", image_size=(32, 32), verbose=False)
    assert batches.class_names == ["bar", "ring"] and next(iter(batches))[0].shape == (12, 32, 32, 3)
    listed = tf.data.Dataset.from_tensor_slices(([str(folder / path) for path in table["path"]], [*table["width"]]))
    sizes = [(pixels.shape[1], int(width)) for pixels, width in
             listed.map(lambda path, width: (tf.io.decode_image(tf.io.read_file(path), 3, expand_animations=False), width))]
    assert len(sizes) == 12 and all(there == told for there, told in sizes)


def test_shapes_of_labels_reach_coco_yolo_and_open_images(hub, crowd, tmp_path):
    import csv

    boxes = json.dumps([{"class": "boat", "xmin": 32, "ymin": 24, "xmax": 96, "ymax": 72}])
    corners = {"row_nb": 3, **{f"p{n}{axis}": v for n, pair in enumerate(((20, 20), (300, 20), (300, 220), (20, 220)), 1)
                               for axis, v in zip("xy", pair, strict=True)}}
    send(hub, crowd["supplier"], {"a.jpg": picture(0, 1)}, key="a", task="corners", label=corners)
    verification.verify(hub)
    found = versions.create(hub, crowd["customer"], {"task": "corners"})
    entry = next(versions.entries(hub, found)) | {"annotations": {"corners": corners, "boats": {"boxes": boxes}}}
    from lib.hub.datasets import shapes

    assert [name for name, _ in shapes.shapes(entry)] == ["boat", "corners"]
    plain = entry | {"annotations": {"boats": {"boxes": "[[1, 2, 3, 4], [5, 6, 7, 8.5]]"}}}
    assert [points[2] for _, points in shapes.shapes(plain)] == [(3, 4), (7, 8.5)]
    assert shapes.yolo_lines(entry, ["boat", "corners"]).decode().splitlines() == [
        "0 0.20000000 0.20000000 0.20000000 0.20000000", "1 0.50000000 0.50000000 0.87500000 0.83333333"]
    sent = io.BytesIO(b"".join(export.stream_tar(hub, crowd["customer"], found.id, export.FORMATS)))
    with tarfile.open(fileobj=sent) as archive:
        coco = json.load(archive.extractfile("coco.json"))
        assert coco["annotations"][0]["bbox"] == [20, 20, 280, 200] and coco["annotations"][0]["area"] == 280 * 200
        line, = (name for name in archive.getnames() if name.startswith("labels/"))
        assert archive.extractfile(line).read().startswith(b"0 0.5")
        rows_ = list(csv.reader(io.TextIOWrapper(archive.extractfile("boxes.csv"))))
        assert len(rows_[0]) == 13 and rows_[1][4:8] == ["0.062500", "0.937500", "0.083333", "0.916667"]


def test_a_picture_that_the_store_has_lost_or_changed_is_told(filled, crowd):
    found = versions.create(filled, crowd["customer"], {})
    entry = next(versions.entries(filled, found))
    fs = store._file_system(filled.place)[0]
    fs.pipe_file(store.path(filled, entry["picture"]), b"changed")
    with pytest.raises(ValueError, match="is damaged"):
        b"".join(export.stream_tar(filled, crowd["customer"], found.id))
    fs.rm(store.path(filled, entry["picture"]))
    with pytest.raises(ValueError, match="is missing in the hub's store"):
        export.send(filled, crowd["customer"], found.id, "memory://gone/set.tar")
    assert not fs.exists("/gone/set.tar") and not fs.exists("/gone/set.tar.part")


def test_notebook_01_reads_a_version(hub, crowd, tmp_path, make_job):
    from lib.data import ingest

    corners = [f"p{n}{axis}" for n in (1, 2, 3, 4) for axis in "xy"]
    lines = [["image", "row_nb", *corners]]
    for n in range(24):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(pixels(0, n), exif=exif()))
        lines.append([f"{n}.jpg", 2 + n % 4, 20 + n, 20, 300, 25, 290, 220, 25, 210])
    (tmp_path / "labels.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    submission.submit(hub, crowd["supplier"], tmp_path / "labels.csv", licence=LICENCE, task="corners", labels=["box"])
    verification.verify(hub)
    found = versions.create(hub, crowd["premium"], {"task": "corners"})
    job = make_job(data__source="hub", data__version=str(found.id), split__by="", hub__token=hub.params.data.token,
                   hub__store=hub.settings.store)
    gathered = ingest.ingest_labels(job)
    assert gathered.counts["kept"] == found.pictures >= 20 and gathered.counts["dropped"] == 0
    assert set(gathered.table["row_nb"]) == {2, 3, 4, 5}
    for path in (job.folder / "images").iterdir():
        assert b"SERIAL-4711" not in path.read_bytes()
    before = (job.folder / "labels.csv").read_bytes()
    assert ingest.ingest_labels(job).counts["copied"] == 0 and (job.folder / "labels.csv").read_bytes() == before
    with pytest.raises(config.ConfigError, match="no data set version 999"):
        ingest.ingest_labels(make_job(data__source="hub", data__version="999", hub__token=hub.params.data.token))


def test_pictures_of_a_version_without_a_label_of_the_task_lie_in_a_folder_to_choose_from(hub, crowd, make_job):
    from lib.hub.datasets import source

    send(hub, crowd["supplier"], {f"ring/{n}.jpg": picture(0, n) for n in range(3)})
    verification.verify(hub)
    found = versions.create(hub, crowd["premium"], {})
    job = make_job(hub__token=hub.params.data.token, hub__store=hub.settings.store)
    folder = source.unlabelled(job, str(found.id))
    assert len(list(folder.iterdir())) == found.pictures == 3
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert source.unlabelled(job, found.id) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(ValueError, match="a data set version is a whole number, not '../../x'"):
        source.unlabelled(job, "../../x")


# --- what goes wrong in the middle, Dask, a crowd, and the command line


def test_a_verification_that_is_killed_loses_nothing(hub, crowd, monkeypatch):
    send(hub, crowd["supplier"], {f"{n}.jpg": picture(0, n) for n in range(10)})
    decide, chunks = verification._decide, []

    def killed(*arguments):
        found = decide(*arguments)
        chunks.append(found)
        if len(chunks) > 1:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(verification, "_decide", killed)
    with pytest.raises(KeyboardInterrupt):
        verification.verify(hub)
    done = len(rows(hub, "SELECT 1 FROM hub.fingerprint"))
    assert done in (3, 7)   # of two chunks, that which came first
    assert dict(rows(hub, "SELECT status, count(*) FROM hub.picture GROUP BY 1")) == {"accepted": done, "submitted": 10 - done}
    monkeypatch.setattr(verification, "_decide", decide)
    assert verification.verify(hub)["accepted"] == 10 - done


def test_a_simulated_crowd_adds_up(hub):
    found = hub_load.simulate(hub, 3, 8, batch=3)
    assert found["sent"] == sum(found["files"].values()) == 24
    assert sum(found["pictures"].values()) == found["files"]["new"]
    assert not (found["pictures_without_their_file"] or found["files_without_their_picture"] or found["counts_that_are_off"])
    again = hub_load.simulate(hub, 3, 8, batch=3)
    assert (again["files"], again["pictures"]) == (found["files"], found["pictures"])


def test_pictures_come_from_and_lie_in_an_object_store(hub, crowd, monkeypatch):
    with s3_server.running("pit") as client:
        for n in range(3):
            client.put_object(Bucket="pit", Key=f"in/ring/{n}.jpg", Body=picture(0, n))
        values = hub.params.plain()
        values["hub"]["store"] = "s3://pit/store"
        there = access.Hub(config.Params(values))
        for _ in range(2):
            assert submission.submit(there, crowd["supplier"], "s3://pit/in", licence=LICENCE).new == 3
        verification.verify(there)
        found = versions.create(there, crowd["customer"], {"labels": ["ring"]})
        size = export.send(there, crowd["customer"], found.id, "s3://pit/out/set.tar")
        assert found.pictures == 3 and client.head_object(Bucket="pit", Key="out/set.tar")["ContentLength"] == size


def test_the_commands_walk_from_submission_to_download(hub, tmp_path, capsys):
    from lib.__main__ import main

    settings = [f"hub.token={hub.params.data.token}", f"hub.store={tmp_path / 'store'}"]

    def run(*words):
        status = main(["hub", *map(str, words), "--set", *settings])
        return status, capsys.readouterr()

    folder(tmp_path / "in", {"ring": 0, "bar": 1})
    assert run("migrate")[0] == 0
    assert "has the token hub_" in run("people", "anna", "--roles", "supplier", "customer")[1].out
    assert '"new": 8' in run("submit", tmp_path / "in", "--person", "anna", "--licence", LICENCE)[1].out
    assert '"accepted": 8' in run("verify")[1].out
    assert re.search(r"4  ring", run("labels")[1].out)
    assert '"total": 4' in run("select", "--person", "anna", "--query", '{"labels": ["ring"]}')[1].out
    assert '"pictures": 8' in run("version", "--person", "anna")[1].out
    assert run("download", "1", tmp_path / "set.tar", "--person", "anna")[0] == 0 and tarfile.is_tarfile(tmp_path / "set.tar")
    status, said = run("version", "--person", "anna", "--query", '{"labels": ["rnig"]}')
    assert status == 1 and said.err.count("\n") == 1 and "no label 'rnig'" in said.err
    assert run("submit", tmp_path / "in", "--person", "nobody")[0] == 1
    assert "corners" in tasks.names()
