"""Phase 3: scores beside the constant answer, figures, label audit, what to label next, viewer.

    scores           how good are the answers to pictures that were not learned from?
    figures          what the four notebooks show
    label_audit      which labels are probably wrong?
    active_learning  which pictures should be labelled next?
    viewer           answers looked through, and their labels corrected
"""

from lib.evaluation import figures
from lib.evaluation.label_audit import audit_labels
from lib.evaluation.scores import beside, chosen, evaluate, in_words, numbers, studies

__all__ = ["audit_labels", "beside", "chosen", "evaluate", "figures", "in_words", "numbers", "studies"]
