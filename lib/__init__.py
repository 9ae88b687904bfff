"""Core Box: photographs of drill-core boxes into data.

A module imports only from rows above its own; tests/test_map.py holds it.

    files      the one door for files: atomic write, hash, lock, room
    config     params.yaml as one read-only typed object; where things live
    geometry   corners, quadrilaterals and the frames they are scaled into, as arrays
    images     the one door for pictures: read, check, turn upright, resize
    windows    windows cut out of pictures, and the matrices that say where they lay
    augment    pictures varied for training, their labels with them
    reading    from the coarse network's maps to four corners that fit together
    lessons    training examples of the corner networks: pictures and sides varied, with their truth
    synth      draw pictures whose labels are exact
    layers     Keras layers and losses that several tasks share
    tasks      one file a job: labels, prepare, encode and decode, head, loss, score, drawing
    predict    from a picture to a plain answer, with exported parts only
    server     PostgreSQL reached: embedded by default, a real server through the JSON token file
    database   rows of the user's own table, and answers that go back
    revisions  corrected labels, each change a row, none ever overwritten
    demo       generated pictures in the embedded database
    runs       one folder a run, mirrored to the tracker (MLflow)
    copies     pictures from any folder, share or URL into images/
    gather     labels and pictures from where they are into data/
    formats    labels in and out of files: CSV, COCO, YOLO, LabelMe, Label Studio, CVAT
    data       the gathered rows: split, cached, as tf.data
    model      a backbone and a task's head; save, load, export
    train      fit the parts of a job, resume, reuse
    pretrain   the weights that ship, trained on generated pictures
    verify     scores in the picture's own units, beside a baseline
    figures    one function a figure
    viewer     the page on which answers are looked through and labels corrected
    api        serve an export over HTTP; knows files, config, images, geometry, tasks, predict only
    __main__   the command line: thin calls of papermill and of the above
"""
