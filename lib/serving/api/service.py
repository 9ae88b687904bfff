"""What lives as long as the process: the models, the threads that answer, the bodies being read, the log, the counters."""

import asyncio
import concurrent.futures
import os
import threading
import time

from lib.common.http import access_log, form, memory
from lib.common.http.executor import BoundedExecutor
from lib.common.http.problem_details import Problem
from lib.common.http.request_body import BodyReader
from lib.serving.api import model_store, remote_picture
from lib.serving.api.metrics import Metrics
from lib.serving.api.served_models import Models

RELOAD = 0.5     # s between two reads of the model store
TRIM = 5.0       # s after which free memory is given back, where anything was answered meanwhile
NICE = 5         # the thread that loads models runs at this lower priority
FETCHES = 4      # pictures fetched at once
FETCHING = 5.0   # s that a fetch may take
HEAVY = 4        # requests with heavy pictures that may wait while one is answered
GRACE = 5.0      # s past its deadline after which a thread makes the process not ready, and in twice the time ends it


class Service:
    """The models of a folder and what is needed to answer requests with them, by the settings of the block `api`."""

    def __init__(self, folder, settings):
        self.folder, self.settings, self.metrics = folder, settings, Metrics()
        self.models = Models(folder, self._log_load, settings.trial_timeout, settings.workers)
        self.description = None   # of the application (description.Rendered), which sets it
        self.fetcher = remote_picture.Fetcher(settings.image_hosts, FETCHING, settings.max_bytes)

    def begin(self):
        """Make threads and queues; nothing is loaded yet."""
        settings = self.settings
        self.log = access_log.AccessLog(settings.log)
        self.executor = BoundedExecutor(settings.workers, settings.queue,
                                        lambda seconds: self.metrics.observe("queue", seconds))
        self.heavy = BoundedExecutor(1, HEAVY, name="heavy")
        self.fetching = BoundedExecutor(FETCHES, 0, name="fetch")
        self._loading = concurrent.futures.ThreadPoolExecutor(1, "load", _lower_priority)
        together = (settings.workers + settings.queue) * (settings.max_bytes + form.AROUND)
        self.bodies = BodyReader(self.executor, settings.read_timeout, max(together, settings.batch_bytes + form.AROUND))

    async def watch(self):
        """Load the export beside the event loop, and follow the folder from then on, until `end`.

        One process alone is live meanwhile; one of several begins when it is ready, since the others answer.
        """
        if self.settings.processes > 1:
            await self._background(self.models.reload)
        self._watching = asyncio.create_task(self._watch())

    def end(self):
        """Finish what runs; not ready from here on."""
        self._watching.cancel()
        self.models.served = {}
        self.executor.close()
        self.heavy.close()
        self.fetching.close()
        self._loading.shutdown(cancel_futures=True)
        self.log.close()

    async def _watch(self):
        trimmed = 0, time.monotonic()   # how many had been answered, and when
        while True:
            await self._background(self.models.reload)
            await self._background(self.models.keep_previous)
            await self._background(self.description.json)  # rendered here, not when it is asked for
            self.metrics.update(self.models.served, self.executor, self.log.lost)
            self._end_where_stuck()
            done = self.executor.done + self.heavy.done
            if done > trimmed[0] and time.monotonic() > trimmed[1] + TRIM:
                trimmed = done, time.monotonic()
                await self._background(memory.trim)
            await asyncio.sleep(RELOAD)

    def overdue(self):
        """The seconds by which a thread is past its deadline; what it runs cannot be interrupted."""
        return max(self.executor.overdue(), self.heavy.overdue())

    def _end_where_stuck(self):
        """End this process where a thread does not come back; what watches over it starts another."""
        if self.overdue() > 2 * GRACE:
            self.log.write(event="stuck", seconds=round(self.overdue(), 1))
            self.log.close()
            os._exit(1)

    async def _background(self, function, *arguments):
        """What a function returns, in the thread that loads models."""
        return await asyncio.get_running_loop().run_in_executor(self._loading, function, *arguments)

    def _log_load(self, error=None, **line):
        """Log and count that an export was loaded, or why it was not."""
        (self.metrics.reload_failures if error else self.metrics.reloads).inc()
        if error:
            line = {"error": type(error).__name__, "detail": str(error), "trace": access_log.trace(error)}
        self.log.write(event="load", **line)

    # --- models

    def served(self):
        """The predictors by task, at least one; Problem `no_model` where there is none."""
        models = self.models.served
        if not models:
            raise Problem("no_model", f"no model is served: {self.models.reason}", {"Retry-After": "5"})
        return models

    def predictor(self, task=None, version=None):
        """The predictor of a task, or the only one; Problem `no_task` or `no_version` where it is not served."""
        models = self.served()
        if task is None and len(models) == 1:
            return next(iter(models.values()))
        if task not in models:
            raise Problem("no_task", f"ask one of {', '.join(f'/v1/{name}/predict' for name in models)}")
        if version not in (None, models[task].version):
            raise Problem("no_version", "that version is not served; leave it out, or ask for the one that is")
        return models[task]

    def versions(self):
        """The version that is served of each task; Problem `no_model`, or `late` where a thread is stuck."""
        if self.overdue() > GRACE:
            raise Problem("late", "a picture holds a thread past its deadline; this process is replaced", {"Retry-After": "10"})
        return {task: one.version for task, one in self.served().items()}

    async def reload(self):
        """Read the model store now; Problem `export_refused` says why something there is not served."""
        if why := await self._background(self.models.reload, True):
            raise Problem("export_refused", "; ".join(why))
        return {"models": self.versions()}

    async def rollback(self, task):
        """Serve what was served before; Problem `no_rollback` where that cannot be."""
        self.predictor(task)
        await self._background(self._roll_back, task)
        return await self.reload()

    def _roll_back(self, task):
        if model_store.exports(self.folder) == [self.folder]:
            raise Problem("no_rollback", "one export is served alone; promote exports to a folder and serve that")
        try:
            model_store.rollback(self.folder, task)
        except OSError as error:
            raise Problem("no_rollback", f"the served folder cannot be changed: {error.strerror}") from error
        except ValueError as error:
            raise Problem("no_rollback", str(error)) from error


def _lower_priority():
    """Lower the priority of this thread alone (on Linux each has its own niceness)."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICE))
