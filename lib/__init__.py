"""Core Box: photographs of drill-core boxes into data.

The rooms, in the order in which they may import one another: a module imports only from rows above its own, and
nothing in a room imports in a circle; tests/test_map.py holds it, file by file.

    common      settings, parallel work, widgets, what the API and the hub's app share of HTTP
    storage     files and downloads, PostgreSQL, the user's tables, label revisions, runs
    imaging     pictures read, checked, turned upright and resized; geometry; augmentation
    metrics     calibration, label errors, cross-validation, and their figures
    models      Keras networks: backbones, shared layers and losses, build, save, load
    synthetic   generated pictures whose truth is exact; core boxes in a folder of their own
    tasks       one file or folder a job, with everything that serves it alone
    serving     phase 4: from a picture to an answer by an export alone, and the HTTP API around it
    hub         the image hub: intake of pictures, data sets, training jobs, web
    data        phase 1: labels and pictures ingested, the data set that training reads, label formats
    training    phase 2: fit, export, search
    evaluation  phase 3: scores beside baselines, label audit, what to label next, figures, viewer
    __main__    the command line: thin calls of papermill and of the above

`api` and `viewer` are other names of `serving.api` and `evaluation.viewer`, for commands that people type.
"""
