"""Core Box: photographs of drill-core boxes into data.

A module imports only from rows above its own; tests/test_map.py holds it.

    files      the one door for files: atomic write, hash, lock, room
    fetch      files from a web server into a folder: in parallel, resumed, checked
    config     params.yaml as one read-only typed object; where things live
    engine     who does the work on pictures: threads of this process, or the workers of Dask
    geometry   corners, quadrilaterals and the frames they are scaled into, as arrays
    rectangles upright boxes as arrays: overlap, suppression, matching, average precision
    images     the one door for pictures: read, check, turn upright, resize
    windows    windows cut out of pictures, and the matrices that say where they lay
    foreground  where the one bright part lies on a plain ground, and along which line
    corruptions  a picture as a faster line, another lamp or a worse camera would have taken it
    augment    pictures varied for training, their labels with them
    reading    from the coarse network's maps to four corners that fit together
    lessons    training examples of the corner networks: pictures and sides varied, with their truth
    suspicion  how improbable a label is, by what networks say that have not learned from it
    synth      draw pictures whose labels are exact
    layers     Keras layers and losses that several tasks share
    memory     the few features that stand for all that were seen
    calibration  whether a probability means what it says, and what is cheapest to do
    studies    other splits and more pictures: repeated folds, learning curves
    charts     figures of answers that are probabilities
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
    __main__   the command line: thin calls of papermill and of the above
"""
