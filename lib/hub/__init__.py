"""The image hub: crowdsourced pictures in, verified data sets and models out.

It is a program of its own, of which the prediction API knows nothing. Everything is in PostgreSQL and in a store of files.

    access              Hub, open_hub(overrides), for_task(task); hub.transaction(account, action) is a cursor in a
                        transaction under the PostgreSQL role that may do it, hub.owner_transaction() one as the owner
    accounts            Account, ROLES, ACTIONS, OPERATOR, tokens; added and changed by the operator or an administrator
    schema              the numbered files of migrations/, run by lib.storage.schemas
    store               pictures, manifests and models by their SHA-256, in any folder or URL
    commands            python -m lib hub …

    intake/             pictures in
        sources         what is submitted (folder, ZIP, CSV, URL) as Items, refused whole where it may be an attack
        submission      submit(…) and receive(…) -> Receipt; status(…), batches(…), annotate(…)
        uploads         pictures that come one by one over HTTP or from the page
        metadata        what EXIF says, and the same picture without it
        geocoding       place names and GPS positions to city and country, offline by default
        annotations     labels of tasks, checked against the task's columns
        checks          figures of one picture, and what each says against its limit
        features        what a picture looks like as one vector: classic, or of a network
        near_duplicates pictures that are there already, proposed by perceptual hash, confirmed on the pixels
        label_errors    labels that disagree with their pictures, by confident learning
        verification    verify(hub) judges what waits, sends label errors to review, rates suppliers
        reviews         queue(…), waiting(…), decide(…): what a reviewer looks at and decides
        feedback        corrections of the viewer and answers of a model, back as labels for review

    datasets/           pictures out
        label_hierarchy labels as a tree in PostgreSQL
        selection       counts and pictures of a query, before anything is downloaded; the watch-list
        versions        data sets that never change, each a manifest with hashes
        shapes          boxes and polygons of labels in COCO, YOLO and Open Images' form
        export          a version as a tar, made while it is sent
        source          a version as the input of notebook 01

    jobs/               trainings on demand
        trainings       the queue: enqueue, cancel, retry; and for workers claim, heartbeat, finish
        worker          a training by the four notebooks in a process of its own; verification beside it

    web/                over HTTP, and in the browser
        app, *_routes   the HTTP API; server: in a process of its own; middleware, request_data, downloads: its parts
        page/           the page in a cell: *_messages answer what page.js asks
        dashboard       its figures; website: the page by voila, with the app beside it

A query is a plain dict, checked by selection.checked_query: {"labels": ["Dog", …], "subtree": true, "places": ["AU",
"AU/Perth", …], "licences": ["CC-BY-4.0", …], "quality": 0.0, "since": "2026-01-01", "until": "2026-12-31", "per_label": 0,
"task": "corners"}. Labels go by name or key, empty lists mean all, per_label keeps at most so many pictures of each label
(0: all), and task keeps those that have a label of this task.
"""
