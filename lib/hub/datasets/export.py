"""A data set version as a tar that is made while it is sent: pictures without metadata, and manifests.

Pictures lie in folders by label (the first of several). With them come manifest.jsonl, licences.csv and authors.csv, and
by choice COCO, YOLO, Open Images' CSV and a Parquet manifest.
"""

import csv
import hashlib
import io
import json
import posixpath
import re
import tarfile
import tempfile
import unicodedata

import fsspec

from lib.hub import accounts, store
from lib.hub.datasets import shapes, versions
from lib.hub.intake import metadata

SPOOL_BYTES = 8 * 2**20   # bytes of a list that are held in memory; longer ones go through a file
FORMATS = ("folders", "coco", "yolo", "openimages", "parquet")


def stream_tar(hub, account, number, formats=("folders",)):
    """The bytes of a tar (POSIX.1-2001) with data set version `number`, piece by piece, in constant memory.

    The same version in the same formats gives the same bytes. Errors before the first piece: accounts.Forbidden,
    ValueError (no such version or format); ValueError later: the store has lost a picture.
    """
    accounts.database_role(account, "download")
    unknown = set(formats) - set(FORMATS)
    if unknown:
        raise ValueError(f"there is no format {sorted(unknown)[0]!r}; there are {', '.join(FORMATS)}")
    return _pieces(hub, versions.find(hub, number), formats)


def _pieces(hub, version, formats):
    for name, write in _manifests(formats):
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as file:
            write(file, lambda: versions.entries(hub, version), _licences(hub))
            size = file.tell()
            if not size:
                continue
            file.seek(0)
            yield _head(name, size)
            while piece := file.read(2**16):
                yield piece
            yield _padding(size)
    for entry in versions.entries(hub, version):
        data = stripped_picture(hub, entry)
        yield _head(path(entry), len(data))
        yield data
        yield _padding(len(data))
    if "yolo" in formats:
        classes = shapes.class_names(lambda: versions.entries(hub, version))
        for entry in versions.entries(hub, version):
            if lines := shapes.yolo_lines(entry, classes):
                yield _head(f"labels/{posixpath.splitext(path(entry).partition('/')[2])[0]}.txt", len(lines))
                yield lines
                yield _padding(len(lines))
    yield bytes(1024)


def _head(name, size):
    head = tarfile.TarInfo(name)
    head.size, head.mode = size, 0o644
    return head.tobuf(tarfile.PAX_FORMAT)


def _padding(size):
    return bytes(-size % 512)


def path(entry):
    """Where a picture lies in the tar: images/<its first label>/<the hash of the file>.jpg."""
    return f"images/{_slug(entry['labels'][0]) if entry['labels'] else 'unlabelled'}/{entry['file']}"


def _slug(label):
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    mark = hashlib.sha1(label.encode(), usedforsecurity=False).hexdigest()[:12]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._")[:80] or mark


def stripped_picture(hub, entry):
    """A picture's bytes without metadata; ValueError where their hash is not that of the manifest."""
    from lib.imaging import images

    data = store.read(hub, entry["picture"])
    data = metadata.strip(data, images.orientation(data))
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"picture {entry['picture'][:12]}… is given out otherwise than its manifest says; "
                         "this program is of another version than the one that took it")
    return data


# --- the lists


def _manifests(formats):
    yield "manifest.jsonl", _manifest_lines
    yield "licences.csv", _licences_csv
    yield "authors.csv", _authors_csv
    if "coco" in formats:
        yield "coco.json", shapes.write_coco
    if "yolo" in formats:
        yield "data.yaml", shapes.write_yolo_names
    if "openimages" in formats:
        yield "class-descriptions.csv", _classes
        yield "image-labels.csv", _image_labels
        yield "image-ids.csv", _image_ids
        yield "boxes.csv", shapes.write_openimages
    if "parquet" in formats:
        yield "manifest.parquet", _parquet


def public_entry(entry):
    """An entry of the manifest as it is published: with its path in the tar, without the original's hash."""
    return {"path": path(entry)} | {key: value for key, value in entry.items() if key not in ("picture", "file")}


def _manifest_lines(file, entries, licences):
    for entry in entries():
        file.write((json.dumps(public_entry(entry), sort_keys=True, ensure_ascii=False) + "\n").encode())


def _write_csv(file, names, rows):
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(rows)
    text.detach()


def _licences_csv(file, entries, licences):
    found = {}
    for entry in entries():
        found[entry["licence"]] = found.get(entry["licence"], 0) + 1
    _write_csv(file, ("licence", "name", "url", "pictures"), ((one, *licences[one], found[one]) for one in sorted(found)))


def _authors_csv(file, entries, licences):
    _write_csv(file, ("path", "author", "licence", "url"),
           ((path(entry), entry["author"], entry["licence"], licences[entry["licence"]][1]) for entry in entries()))


def _classes(file, entries, licences):
    names = sorted({pair for entry in entries() for pair in zip(entry["keys"], entry["labels"], strict=True)})
    _write_csv(file, ("LabelName", "DisplayName"), names)


def _image_labels(file, entries, licences):
    _write_csv(file, ("ImageID", "Source", "LabelName", "Confidence"),
           ((entry["sha256"], "crowdsource-verification", key, 1) for entry in entries() for key in entry["keys"]))


def _image_ids(file, entries, licences):
    _write_csv(file, ("ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author",
                  "Title", "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation"),
           ((entry["sha256"], "", path(entry), "", licences[entry["licence"]][1], "", entry["author"], "",
             entry["bytes"], "", "", 0) for entry in entries()))


def _parquet(file, entries, licences):
    """One row a picture; written in groups of rows, so that memory stays small."""
    import pyarrow
    import pyarrow.parquet

    texts = pyarrow.list_(pyarrow.string())
    schema = pyarrow.schema([("path", pyarrow.string()), ("sha256", pyarrow.string()), ("bytes", pyarrow.int64()),
                             ("width", pyarrow.int32()), ("height", pyarrow.int32()), ("labels", texts), ("keys", texts),
                             ("city", pyarrow.string()), ("country", pyarrow.string()), ("licence", pyarrow.string()),
                             ("author", pyarrow.string()), ("taken", pyarrow.string()), ("group", pyarrow.string()),
                             ("annotations", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        rows = []
        for entry in entries():
            rows.append(public_entry(entry) | {"annotations": json.dumps(entry["annotations"], sort_keys=True)})
            if len(rows) == 5000:
                writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def _licences(hub):
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT id, name, url FROM hub.licence")
        return {one: (name, url) for one, name, url in cursor.fetchall()}


# --- to a URL


def send(hub, account, number, url, formats=("folders",), progress=None):
    """Stream the tar of a version to any URL that fsspec opens, whole or not at all, and return its bytes."""
    pieces, size = stream_tar(hub, account, number, formats), 0
    try:
        fs, target = fsspec.url_to_fs(str(url))
    except (ValueError, ImportError) as error:
        raise ValueError(f"{url} cannot be opened: {error}; s3, gs and az need the extra [cloud]") from error
    fs.makedirs(posixpath.dirname(target), exist_ok=True)
    partly = f"{target}.part"
    try:
        with fs.open(partly, "wb") as file:
            for piece in pieces:
                file.write(piece)
                size += len(piece)
                if progress:
                    progress(len(piece))
        fs.mv(partly, target)
    except BaseException:
        if fs.exists(partly):
            fs.rm(partly)
        raise
    return size
