"""The models that are served, and how one is replaced: checked elsewhere, loaded, then swapped in as a whole."""

import threading
import time

from lib.serving import export_check, prediction
from lib.serving.api import load_check, model_store


class Models:
    """The predictors of a folder by task, in `served`; `reload` brings in what has changed there.

    `on_load` is called with what happened, for the log: task, model_version and ms, or an `error`. A new export must pass
    the load check within `seconds` first; `threads` may ask a model at once, each without waiting for its own copy.
    """

    def __init__(self, folder, on_load, seconds, threads=1):
        self.folder, self.served, self.reason = folder, {}, "the model is being loaded"
        self._on_load, self._seconds, self._threads, self._lock = on_load, seconds, threads, threading.Lock()
        self._keys, self._kept, self._refused, self._failure = {}, {}, {}, ""

    def reload(self, again=False):
        """Serve the exports that are current now; returns why some are not, sentences. The old ones stay then.

        One that was refused is tried again when it has changed, or where `again` is true.
        """
        with self._lock:
            try:
                folders = model_store.exports(self.folder)
            except Exception as error:  # nothing there yet, or a share that is away
                return [self._fail(error)]
            return [why for folder in folders if (why := self._take(folder, again))]

    def _take(self, folder, again):
        """Serve an export; returns why not, or None where it is served or was refused before."""
        key = folder, model_store.mark(folder)
        if key in self._keys.values() or (self._refused.get(folder) == key and not again):
            return None
        try:
            self._swap(key, self._previous(key) or self._load(folder))
        except Exception as error:  # whatever an export holds, the process stays up and serves what it has
            self._refused[folder] = key
            return self._fail(error)

    def _previous(self, key):
        """The predictor that was served before the present one, if it is the one wanted: going back takes no time."""
        return next((kept[key] for kept in self._kept.values() if key in kept), None)

    def _load(self, folder):
        begun = time.monotonic()
        task = export_check.check(folder, model_store.task(folder, self.folder))["task"]
        if task in self.served:  # at the start there is nothing that could be lost
            load_check.run(folder, task, self._seconds)
        predictor = self._open(folder, task)
        self._on_load(task=task, model_version=predictor.version, ms=round(1000 * (time.monotonic() - begun)))
        return predictor

    def _open(self, folder, task):
        predictor = prediction.load(folder, task)
        predictor.warm(self._threads)
        return predictor

    def keep_previous(self):
        """Hold in memory what a rollback would serve, so that the first one takes no longer than the others."""
        with self._lock:
            for folder in model_store.previous(self.folder):
                task, key = folder.parent.name, (folder, model_store.mark(folder))
                if task in self.served and key not in self._kept[task] and self._refused.get(folder) != key:
                    try:
                        self._kept[task][key] = self._open(folder, task)
                    except Exception as error:  # what cannot be gone back to is known before somebody needs it
                        self._refused[folder] = key
                        self._fail(error)

    def _swap(self, key, predictor):
        """Serve a predictor, and keep the one before it in memory."""
        task = predictor.task
        self._kept[task] = {self._keys.get(task): self.served.get(task), key: predictor}
        self._keys[task] = key
        self.served = self.served | {task: predictor}  # one reference: a request sees one model or the other

    def _fail(self, error):
        """Note an error once, not at every reload; returns its first line."""
        self.reason = "the model could not be loaded; the log says why"
        if str(error) != self._failure:
            self._failure = str(error)
            self._on_load(error=error)
        return str(error).splitlines()[0] if isinstance(error, export_check.BadExport) else type(error).__name__
