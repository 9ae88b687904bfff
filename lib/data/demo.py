"""The demo's table: generated pictures in the embedded PostgreSQL, under paths of someone else's Windows machine."""

import contextlib
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from psycopg2 import sql
from tqdm.auto import tqdm

from lib.data import merging
from lib.storage import files
from lib.storage.postgres import connect, identifier, schema
from lib.storage.table_writes import write_rows
from lib.storage.tables import columns
from lib.tasks.contract import Located

ROOT = "D:\\Cores\\"   # where the generated pictures claim to lie
SITES = ("Albion", "Birchwood", "Copperline", "Dunmore", "Eastgate", "Fairview", "Granite Hill", "Highland",
         "Ironbark", "Juniper", "Kestrel", "Longreach", "Marlow", "Northfield", "Oakridge", "Pinehurst",
         "Quarry Bay", "Redwater", "Stonefield", "Tamarack")
# What generated pictures are called in a table. Other pictures under ROOT are the user's own.
GENERATED = r"^D:\\Cores\\(" + "|".join(SITES) + r")\\HOLE-\d{3}\\[a-z_]+_\d{4,}\.JPG$"


def folder(job):
    """Where the generated pictures lie."""
    return job.folder / "generated"


def name_of(job, seed):
    """The path of the generated picture number `seed` on someone else's Windows machine, named after its task."""
    hole = seed % len(SITES)
    return f"{ROOT}{SITES[hole]}\\HOLE-{hole + 1:03d}\\{job.name}_{seed:04d}.JPG"


def _file(job, seed):
    return folder(job).joinpath(*name_of(job, seed).removeprefix(ROOT).split("\\"))


def fill_table(job):
    """Fill the embedded database with `data.generate` generated pictures and return how many had to be drawn.

    Only what is missing is drawn, or all where settings or generator have changed since. A table that holds rows
    of the user's own is left as it is, and so is a real server's.
    """
    if job.params.data.token or not job.params.data.generate:
        return 0
    with files.lock(job.folder):
        known = _pictures_in_table(job)
        if any(not is_generated(name) for name in known):
            return 0
        wanted = {name_of(job, seed): seed for seed in range(job.params.data.generate)}
        kept = set() if _generator_changed(job) else known & wanted.keys()
        _remove_all_but(job, kept)
        missing = [seed for name, seed in wanted.items() if name not in kept or not _file(job, seed).is_file()]
        _draw_all(job, missing)
        return len(missing)


def is_generated(name):
    """Whether a picture's path in the table is one of a generated picture."""
    return re.match(GENERATED, name) is not None


def _pictures_in_table(job):
    """The paths of the pictures in the table, "" for a row of the user's own that names none in the column of pictures."""
    data = job.params.data
    with connect(job) as connection, connection.cursor() as cursor:
        there = columns(connection, schema(job), data.table)
        if not there:
            return set()
        image = sql.SQL("coalesce({}::text, '')").format(identifier(data.columns["image"])) \
            if data.columns["image"] in there else sql.SQL("''")
        cursor.execute(sql.SQL("SELECT {}, {} FROM {}").format(
            image, _generated(there), identifier(schema(job), data.table)), ())
        return {name for name, generated in cursor.fetchall() if name or not generated}


def _generated(names):
    """The condition that a row holds the path of a generated picture, in whichever column."""
    return sql.SQL(" OR ").join(sql.SQL("coalesce({}::text ~ {}, false)").format(
        identifier(name), sql.Literal(GENERATED)) for name in names)


def _remove_all_but(job, kept):
    """Remove the generated rows, under whichever columns they were written, but for those of the pictures `kept`."""
    data = job.params.data
    with connect(job) as connection, connection.cursor() as cursor:
        there = columns(connection, schema(job), data.table)
        if there:
            kept_rows = sql.SQL("coalesce({}::text = ANY(%s), false)").format(identifier(data.columns["image"])) \
                if data.columns["image"] in there else sql.SQL("%s::text[] IS NULL")
            cursor.execute(sql.SQL("DELETE FROM {} WHERE ({}) AND NOT {}").format(
                identifier(schema(job), data.table), _generated(there), kept_rows), (list(kept),))
            connection.commit()


def _generator_changed(job):
    """Whether picture 0 would be drawn differently today than it was; the answer is kept beside the pictures."""
    picture, row = _draw(job, 0)
    several = f"several {job.params.data.several}" if job.params.data.several else ""
    rows = [_row(job, 0, label) for label in Located.of(job).labels_of(row)]
    about = picture + (", ".join(map(repr, rows)) + several).encode()
    note, now = folder(job) / "generator.txt", hashlib.sha256(about).hexdigest()
    if note.is_file() and note.read_text() == now:
        return False
    with contextlib.suppress(FileNotFoundError):
        for old in folder(job).rglob("*.JPG"):
            old.unlink()
    files.write(note, now)
    return True


def _draw(job, seed):
    data = job.params.data
    return job.sample(np.random.default_rng(seed), (data.generate_width, data.generate_height))


def _draw_all(job, seeds):
    """Draw pictures in parallel and store their rows, fifty at a time, so that a stopped run goes on from there."""
    with ThreadPoolExecutor(job.params.data.workers) as pool, \
            tqdm(total=len(seeds), desc="drawing", unit="picture", disable=not seeds) as bar:
        for start in range(0, len(seeds), 50):
            records = []
            for rows in pool.map(lambda seed: _records(job, seed), seeds[start:start + 50]):
                records += rows
                bar.update()
            kinds = {column: type(value) for record in records for column, value in record.items()}
            write_rows(job, job.params.data.table, kinds, records, job.params.data.columns["image"],
                       pair=merging.row_matcher(job))


def _records(job, seed):
    """The table's rows of a generated picture, one a label; the picture is drawn and written to its file."""
    picture, row = _draw(job, seed)
    files.write(_file(job, seed), picture)
    return [_row(job, seed, label) for label in Located.of(job).labels_of(row)]


def _row(job, seed, row):
    """A label under the table's own names; the site stands in the columns of the group and of the filter."""
    names, site = job.params.data.columns, SITES[seed % len(SITES)]
    sites = [column for column in (names.get("group"), job.params.data.filter_column) if column]
    return {names["image"]: name_of(job, seed), **dict.fromkeys(sites, site),
            **{names[name]: value for name, value in row.items() if names.get(name)}}
