"""Answers to the page's messages about pictures: previews, thumbnails, crops, the rectified box."""

from lib.evaluation.viewer import review
from lib.evaluation.viewer.previews import PreviewCache
from lib.tasks.contract import Reviewable

THUMBNAILS = 64   # at most, in one message
CROP = 4000       # px, the longer side of a crop at most


class PictureMessages:
    """Handlers of the messages about pictures; buffers are JPEG files."""

    def __init__(self, job, items):
        self.job, self.items, self.previews = job, items, PreviewCache(job)

    def handlers(self):
        """The handlers by the names of their messages."""
        return {each.__name__: each for each in (self.picture, self.thumbnails, self.crop, self.rectify)}

    def picture(self, message):
        """The preview of a picture; for a task whose labels are not edited, with its truth and answer drawn."""
        item = review.item_at(self.items, message)
        if Reviewable.of(self.job).edit is None:
            return {}, [self.previews.overlay(item, item["truth"], item["answer"])]
        return {}, [self.previews.preview(item)]

    def thumbnails(self, message):
        """Thumbnails; an empty buffer for a picture that cannot be read."""
        known = [at for at in message["many"][:THUMBNAILS] if isinstance(at, int) and 0 <= at < len(self.items)]
        return {"many": known}, [self._thumbnail(self.items[at]) for at in known]

    def _thumbnail(self, item):
        try:
            return self.previews.thumbnail(item)
        except ValueError:
            return b""

    def crop(self, message):
        """A rectangle (x, y, width, height) of a picture at full resolution, `most` px at most."""
        item = review.item_at(self.items, message)
        code, rect = self.previews.crop(item, message["rect"], min(int(message["most"]), CROP))
        return {"rect": rect}, [code]

    def rectify(self, message):
        """The box seen from straight above."""
        return {}, [self.previews.rectified(review.item_at(self.items, message), message["corners"])]
