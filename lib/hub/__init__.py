"""The image hub: crowdsourced pictures in, verified data sets out; a program of its own, of which the API knows nothing.

    schema        migrate(connection): the numbered files of lib/migrations/hub, each run once
    people        ROLES, ACTIONS, Person, OPERATOR, add(hub, name, roles) -> (Person, token), find(hub, name),
                  by_token(hub, token) -> Person or None, may(person, action) -> bool, Forbidden
    access        open_hub(overrides) -> Hub, of(job) -> Hub; hub.migrate(); with hub.transaction(person, action) as cursor:
                  a transaction under the PostgreSQL role that may do it; with hub.owner_transaction() as cursor: as the owner
    vocabulary    labels as a tree: load(hub, hierarchy, names), tree(cursor), find(cursor, names) -> ids, add(…)
    places        place names and GPS positions to city and country: locate(hub, text or position) -> Place
    store         pictures by their SHA-256 in any folder or URL: put(hub, data), read(hub, sha256) -> bytes
    metadata      read(data) -> what EXIF tells; strip(data) -> the same picture without any of it
    parcels       what is submitted: folder, zip, CSV + folder, URL, as Items (name, data, values), safely
    submission    submit(hub, person, source, …) -> Receipt; receive(hub, person, key, items, …) -> Receipt
    checks        measure(data) -> figures; judge(figures, settings) -> findings; pure functions of one picture
    twins         near duplicates: proposed by perceptual hash, confirmed on the pixels
    features      what a picture looks like, as one vector: classic, or of a configured network
    annotations   labels of tasks, checked against the task's columns
    doubts        which labels disagree with their pictures: cross-validated, by confident learning
    verification  verify(hub) -> counts: all of that over the waiting pictures; review(…), queue(…), qualities(…)
    selection     select(hub, person, query) -> Counts before anything is downloaded; watch(…), fire(hub)
    versions      version(hub, person, query) -> Version, immutable; find(hub, number); rows(hub, version)
    export        stream_tar(hub, person, version, formats) -> iterator of bytes; send(…, url)
    source        labels and pictures of a version for notebook 01 (data.source: hub), and for choose those without a label
    crowd         simulate(hub, suppliers, pictures): a crowd that submits, for load tests
    commands      python -m lib hub …
    trainings     train on demand: ask, listed, find, cancel, again; and for workers take, beat, end
    worker        a training run by the four notebooks in a process of its own; verification beside it
    uploads       pictures that come one by one: which are wanted still, and taking them in
    downloads     tickets for browsers, and a stream that keeps a slot until it ends
    guard         who is let in to the app, how much they may send, what they are told when it does not go well
    app           the hub over HTTP
    serving       the app in a process of its own
    dashboard     what is in the hub, as figures: labels, places on a map, quality
    page          the page in a cell (page.js, page.css); website: the page by voila, with the app beside it
    feedback      corrections of the viewer, and answers of a model, back as labels for review

For whoever builds on it (signatures, all keyword arguments optional unless said):

    Query: a plain dict, checked by selection.checked_query(query):
        {"labels": ["Dog", …], "subtree": true, "places": ["AU", "AU/Perth", …], "licences": ["CC-BY-4.0", …],
         "quality": 0.0, "since": "2026-01-01", "until": "2026-12-31", "per_label": 0, "task": "corners"}
        labels by name or key; empty lists mean all; per_label keeps at most so many of each label (0: all);
        task keeps pictures that have a label of this task.
    submission.submit(hub, person, source, labels=(), place="", licence="", author="", task="", key="", progress=None)
        source: path of a folder, .zip or .csv, or a fsspec URL; licence is needed (id of hub.licence).
        labels apply to all; those of sub-folders (named like labels) or of a CSV are added.
    submission.receive(hub, person, key, items, source="", done=True): items of parcels.Item(name, data, values), for
        the HTTP app; the same key and names again change nothing. values: {"labels": [...], "place": "", "licence": "",
        "author": "", "task": "", "label": {...}}. May be called several times with one key; done=True closes the batch.
    Receipt: batch (id), new, known, refused (counts), reasons {reason: count}; Receipt.plain() for JSON.
    submission.status(hub, person, batch) -> dict: name, outcome, reason, status and findings of each file, and counts.
    submission.annotate(hub, person, picture, task, label, origin): a corrected label as a submission ("viewer", "api").
    verification.queue(hub, person, limit) -> list of dicts (picture, sha256, labels, findings): what waits for review
    verification.review(hub, person, picture, verdict, labels=None, note="")
    selection.counts(hub, person) -> {label name: accepted pictures, with the label's subtree}; fast, maintained
    selection.select(hub, person, query, limit=1000) -> Selection(total, labels {name: count}, ids (first `limit`),
        places {country/city: count}, licences {id: count}, bytes)
    selection.pictures(hub, person, ids), selection.places(hub, person), selection.quality(hub, person): for pages
    selection.select_at_least(hub, person, query, least) -> Selection, or TooFew (with .watch: the wish is on the watch-list)
    selection.watch(hub, person, query, least) -> id; selection.watches(hub, person) -> list of dicts
    versions.create(hub, person, query, least=0) -> Version(id, manifest, pictures, bytes, counts, query, created)
    versions.list_all(hub, person) -> [Version], versions.find(hub, id) -> Version
    export.stream_tar(hub, person, version_id, formats=("folders",)) -> iterator of bytes (a tar), constant memory
        formats: folders, coco, yolo, openimages, parquet; manifest, licences and authors are always in it.
    store.thumbnail(hub, sha256, side=160) -> JPEG bytes without metadata, of an accepted picture (ask rights first)
    Table hub.training: see lib/migrations/hub/006_trainings.sql (state, attempts, worker, cancel, heartbeat,
        not_before, request, progress, result, error). Ask with hub.transaction(person, "train"), work with
        hub.transaction(people.OPERATOR, "work"). A training's notebooks read a version by
        overrides {"data.source": "hub", "data.version": "<id>"}. Rows are split by their batch; where there are few
        batches, "split.by": "" splits by picture.
"""
