"""python -m lib hub …: what an operator does with the hub at the command line."""

import json
from pathlib import Path

from tqdm.auto import tqdm

from lib.common import config


def add(commands):
    """The hub's commands on the parser of python -m lib."""
    top = commands.add_parser("hub", help="the image hub: submit, verify, choose, download")
    kinds = top.add_subparsers(required=True, metavar="command")

    def command(name, call, help):
        new = kinds.add_parser(name, help=help, description=help)
        new.set_defaults(call=call)
        new.add_argument("--set", nargs="*", default=[], metavar="a.b=c", help="settings to override (hub, compute, data)")
        return new

    command("migrate", _migrate, "bring the hub's schema up to date")
    people = command("people", _people, "add a person; their token is printed once")
    people.add_argument("name")
    people.add_argument("--roles", nargs="+", required=True)
    people.add_argument("--keep-position", action="store_true", help="agrees that GPS positions are kept in the database")
    labels = command("labels", _labels, "list the labels with their counts, or load a hierarchy (Open Images' JSON)")
    labels.add_argument("hierarchy", nargs="?", default="")
    labels.add_argument("--names", default="", help="CSV of key and name, class-descriptions-boxable.csv")
    submit = command("submit", _submit, "submit a folder, ZIP, CSV or URL of pictures")
    submit.add_argument("source")
    submit.add_argument("--person", required=True)
    submit.add_argument("--licence", default="")
    submit.add_argument("--labels", nargs="*", default=[])
    submit.add_argument("--place", default="")
    submit.add_argument("--author", default="")
    submit.add_argument("--task", default="", help="whose labels a CSV holds")
    command("verify", _verify, "verify all waiting pictures, fire the watch-list, rate suppliers")
    for name, call, help in (("select", _select, "count what a query finds"),
                             ("version", _version, "make a data set version of what a query finds"),
                             ("watch", _watch, "wait for enough pictures")):
        new = command(name, call, help)
        new.add_argument("--person", required=True)
        new.add_argument("--query", default="{}", help='JSON, such as {"labels": ["Dog"], "places": ["AU"]}')
        new.add_argument("--least", type=int, default=0 if name != "watch" else 100, help="pictures of each label")
    command("versions", _versions, "list the data set versions").add_argument("--person", required=True)
    download = command("download", _download, "send a data set version as a tar to a file or URL")
    download.add_argument("version")
    download.add_argument("to")
    download.add_argument("--person", required=True)
    download.add_argument("--formats", nargs="*", default=["folders"])
    serve = command("serve", _serve, "the hub over HTTP, for programs and for downloads")
    serve.add_argument("--with-stdin", action="store_true", help="end when standard input is closed")
    command("page", _page, "the hub's page in a browser, with its HTTP app beside it")
    work = command("work", _work, "run the trainings that are asked for, and verify what is submitted; any number of these")
    work.add_argument("--once", action="store_true", help="end when nothing waits")
    feedback = command("feedback", _feedback, "hand corrections of the viewer, or answers of a model, in for review")
    feedback.add_argument("--person", required=True)
    feedback.add_argument("--task", required=True)
    feedback.add_argument("--profile", default="demo")
    feedback.add_argument("--licence", default="", help="of pictures that the hub does not have yet")
    feedback.add_argument("--answers", nargs=2, metavar=("CSV", "FOLDER"), default=None,
                          help="of python -m lib predict, with the folder it answered; else the viewer's corrections")
    return kinds, command


def open_hub(arguments):
    """The Hub that the command is about."""
    from lib.hub import access

    return access.open_hub(config.nest(config.parse_overrides(" ".join(arguments.set))))


def _account(hub, arguments):
    from lib.hub import accounts

    return accounts.find(hub, arguments.person)


def show(value):
    """Print a value as JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def _migrate(arguments):
    names = open_hub(arguments).migrate()
    print(f"{len(names)} migrations run{': ' + ', '.join(names) if names else ', the schema is up to date'}")


def _people(arguments):
    from lib.hub import accounts

    account, token = accounts.add(open_hub(arguments), arguments.name, arguments.roles, arguments.keep_position)
    print(f"{account.name} ({', '.join(account.roles)}) has the token {token}; it is not shown again")


def _labels(arguments):
    from lib.hub.datasets import label_hierarchy

    hub = open_hub(arguments)
    if arguments.hierarchy:
        labels, edges = label_hierarchy.load(hub, arguments.hierarchy, arguments.names)
        print(f"{labels} labels, {edges} of them under another")
        return
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT key, name, coalesce(sum(change) FILTER (WHERE status = 'accepted'), 0)::bigint FROM hub.label "
                       "LEFT JOIN hub.tally ON tally.label = label.id GROUP BY 1, 2 ORDER BY lower(name)")
        for key, name, number in cursor.fetchall():
            print(f"{number:>9}  {name}  {key}")


def _submit(arguments):
    from lib.hub.intake import submission

    hub = open_hub(arguments)
    source = arguments.source if "://" in arguments.source else str(Path(arguments.source).resolve())
    with tqdm(desc="submitting", unit="file") as bar:
        receipt = submission.submit(hub, _account(hub, arguments), source, arguments.labels, arguments.place,
                                    arguments.licence, arguments.author, arguments.task, progress=bar.update)
    show(receipt.plain())


def _verify(arguments):
    from lib.hub.datasets import selection
    from lib.hub.intake import features, verification

    hub = open_hub(arguments)
    with tqdm(desc="verifying", unit="picture") as bar:
        found = verification.verify(hub, bar.update)
    show({**found, "features": features.kind(hub), "fired": selection.fire_watches(hub), "suppliers": verification.supplier_quality(hub)})


def _select(arguments):
    from lib.hub.datasets import selection

    hub, query = open_hub(arguments), _query(arguments)
    account = _account(hub, arguments)
    found = selection.select_at_least(hub, account, query, arguments.least) if arguments.least else selection.select(hub, account, query)
    show({**found.plain(), "ids": found.ids[:10]})


def _version(arguments):
    from lib.hub.datasets import versions

    hub = open_hub(arguments)
    show(versions.create(hub, _account(hub, arguments), _query(arguments), arguments.least).plain())


def _watch(arguments):
    from lib.hub.datasets import selection

    hub = open_hub(arguments)
    print(f"on the watch-list under {selection.watch(hub, _account(hub, arguments), _query(arguments), arguments.least)}")


def _query(arguments):
    try:
        return json.loads(arguments.query)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--query is no JSON: {error}; write it as '{{\"labels\": [\"Dog\"]}}'") from error


def _versions(arguments):
    from lib.hub.datasets import versions

    hub = open_hub(arguments)
    for one in versions.list_all(hub, _account(hub, arguments)):
        print(f"{one.id:>6}  {one.created}  {one.pictures} pictures  {one.bytes / 1e6:.1f} MB  "
              f"{json.dumps({key: value for key, value in one.query.items() if value})}")


def _download(arguments):
    from lib.hub.datasets import export

    hub = open_hub(arguments)
    to = arguments.to if "://" in arguments.to else str(Path(arguments.to).resolve())
    with tqdm(desc="sending", unit="B", unit_scale=True) as bar:
        size = export.send(hub, _account(hub, arguments), arguments.version, to, arguments.formats, bar.update)
    print(f"{size / 1e6:.1f} MB in {arguments.to}")


def _serve(arguments):
    from lib.hub.web import server

    server.serve(open_hub(arguments), arguments.with_stdin)


def _page(arguments):
    from lib.hub.web import website

    website.run(open_hub(arguments), config.parse_overrides(" ".join(arguments.set)))


def _work(arguments):
    from lib.hub.jobs import worker

    worker.work(open_hub(arguments), arguments.once)


def _feedback(arguments):
    from lib import tasks
    from lib.hub.intake import feedback

    hub, job = open_hub(arguments), tasks.job(arguments.task, arguments.profile)
    account = _account(hub, arguments)
    if arguments.answers:
        show(feedback.answers(hub, account, job, *arguments.answers, licence=arguments.licence))
    else:
        show(feedback.corrections(hub, account, job, licence=arguments.licence))
