"""Draw pictures whose labels are exact: `coreboxes.draw(seed)` is the door."""
