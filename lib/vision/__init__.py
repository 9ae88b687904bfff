"""Pictures worked on, for the tasks: pure functions of pixels and points.

    rectangles   upright boxes as arrays: overlap, suppression, matching, average precision
    windows      windows cut out of pictures, and the matrices that say where they lay
    foreground   where the one bright part lies on a plain ground, and along which line
    corruptions  a picture as a faster line, another lamp or a worse camera would have taken it
    augment      pictures varied for training, their labels with them
    reading      from the coarse corner network's maps to four corners that fit together
    lessons      training examples of the corner networks: pictures and sides varied, with their truth
"""
