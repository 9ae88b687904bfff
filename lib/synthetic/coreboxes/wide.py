"""The wide world: every kind of photograph in which core lies, with all of its boxes or with none."""

import numpy as np

from lib.synthetic.coreboxes import groups

LAYOUTS = {groups.group: 0.8, groups.trimmed: 0.2}


def layout(rng, size, shifted):
    """A scene of one of LAYOUTS."""
    made = list(LAYOUTS)[rng.choice(len(LAYOUTS), p=np.array(list(LAYOUTS.values())) / sum(LAYOUTS.values()))]
    return made(rng, size, shifted)
