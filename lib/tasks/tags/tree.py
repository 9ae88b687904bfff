"""A tree of labels: a label implies its parents."""


APART = ";"      # between the labels of a row
BELOW = " > "    # between a label and its child in the setting tags.labels


class Tree:
    """Labels by name, parents before children, from paths such as "rock > stone"; a label may stand in several."""

    def __init__(self, paths):
        """ValueError where a path is empty or a label stands below itself."""
        self.parents = {}
        for path in paths:
            names = [name.strip() for name in str(path).split(BELOW.strip())]
            if not all(names) or APART in str(path):
                raise ValueError(f"{path!r} is no path of labels")
            for above, name in zip([None, *names], names, strict=False):
                self.parents.setdefault(name, set()).update({above} - {None})
        self.above = {name: self._above(name, ()) for name in self.parents}
        self.names = tuple(sorted(self.parents, key=lambda name: len(self.above[name])))

    def _above(self, name, seen):
        if name in seen:
            raise ValueError(f"{name!r} stands below itself")
        return set().union(*({parent} | self._above(parent, (*seen, name)) for parent in self.parents[name]))

    def closed(self, names):
        """The names with all their parents, in the tree's order."""
        wanted = set(names).union(*(self.above[name] for name in names))
        return [name for name in self.names if name in wanted]

    def leaves(self, names):
        """Those of the names that no other of them implies."""
        return [name for name in names if not any(name in self.above[other] for other in names)]

    def nested(self):
        """All names, each followed by its children."""
        def below(name):
            for child in self.names:
                if child not in seen and (name in self.parents[child] if name else not self.parents[child]):
                    seen.add(child)
                    yield child
                    yield from below(child)

        seen = set()
        return list(below(None))


def is_tree(paths):
    """Whether these paths make a tree with a label in it."""
    try:
        return len(Tree(paths).names) > 0
    except ValueError:
        return False
