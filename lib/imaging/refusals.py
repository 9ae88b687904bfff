"""Why a picture is not taken."""


class Refused(ValueError):
    """A picture that is not taken, with `code` (too_large, not_a_picture, unreadable, empty, missing) and a sentence."""

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code
