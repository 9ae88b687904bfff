"""What answers and labels are worth: numbers and figures that several tasks share.

    calibration  whether a probability means what it says, and what is cheapest to do
    suspicion    how improbable a label is, by what networks say that have not learned from it
    memory       the few features that stand for all that were seen
    studies      other splits and more pictures: repeated folds, learning curves
    charts       figures of answers that are probabilities
"""
