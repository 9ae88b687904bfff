"""Core Box: photographs of drill-core boxes into data.

A module imports only from rows above its own; tests/test_map.py holds it.

    files      the one door for files: atomic write, hash, lock, room
    fetch      files from a web server into a folder: in parallel, resumed, checked
    config     params.yaml as one read-only typed object; where things live
    engine     who does the work on pictures: threads of this process, or the workers of Dask
    geometry   corners, quadrilaterals and the frames they are scaled into, as arrays
    images     the one door for pictures: read, check, turn upright, resize
    vision     pictures worked on: windows, boxes, variation, and what corner maps say
    measures   what answers and labels are worth: calibration, suspicion, learning curves
    synth      draw pictures whose labels are exact
    layers     Keras layers and losses that several tasks share
    tasks      one file a job: labels, prepare, encode and decode, head, loss, score, drawing
    predict    from a picture to a plain answer, with exported parts only
    api        serve an export over HTTP; knows files, config, images, geometry, tasks, predict only
    server     PostgreSQL reached: embedded by default, a real server through the JSON token file
    database   rows of the user's own table, and answers that go back
    revisions  corrected labels, each change a row, none ever overwritten
    demo       generated pictures in the embedded database
    runs       one folder a run, mirrored to the tracker (MLflow)
    copies     pictures from any folder, share or URL into images/
    data       the gathered rows: split, cached, as tf.data
    cell       a page of ours in a notebook's cell: one script, one style, messages both ways
    resnet     ResNet34, which keras.applications lacks, as torchvision has it
    model      a backbone and a task's head; save, load, export
    hub        crowdsourced pictures in, verified data sets out: submit, verify, select, version, download
    gather     labels and pictures from where they are into data/
    formats    labels in and out of files: CSV, COCO, YOLO, LabelMe, Label Studio, CVAT
    corrections  corrected labels into the user's own table, where nothing stands against it
    train      fit the parts of a job, resume, reuse
    search     which settings train best: a study that processes and machines share
    pretrain   the weights that ship, trained on generated pictures
    verify     scores in the picture's own units, beside a baseline
    audit      labels that are probably wrong, by networks that have not learned from them
    figures    one function a figure
    viewer     the page on which answers are looked through and labels corrected
    choose     which pictures to label next: unlike those that are labelled, and doubtful
    printed    what the cells of a notebook print, bounded
    __main__   the command line: thin calls of papermill and of the above
"""
