"""The wide world: every kind of photograph in which core lies, with all of its boxes or with none."""

from lib.synthetic.coreboxes import groups, laboratory, loose, pages

LAYOUTS = {  # what is drawn, and its share
    groups.group: 0.42,
    groups.trimmed: 0.09,
    laboratory.trays: 0.13,
    pages.cartons: 0.07,
    pages.stack_on_page: 0.07,
    pages.stitched: 0.04,
    loose.template: 0.055,
    loose.pipes: 0.045,
    loose.boards: 0.045,
    loose.short_slab: 0.015,
    loose.on_the_ground: 0.02,
}


def layout(rng, size, shifted):
    """A scene of one of LAYOUTS."""
    made = list(LAYOUTS)[rng.choice(len(LAYOUTS), p=list(LAYOUTS.values()))]
    return made(rng, size, shifted)
