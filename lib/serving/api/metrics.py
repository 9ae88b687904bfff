"""What is counted and timed, for Prometheus; over all processes where several share the port.

https://prometheus.github.io/client_python/multiprocess/
"""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

STAGES = ("read", "fetch", "queue", "decode", "infer", "draw", "total")
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)  # s


class Metrics:
    """The counters of one application; `text` is what Prometheus reads."""

    TYPE = CONTENT_TYPE_LATEST

    def __init__(self):
        self.shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self.registry = registry = CollectorRegistry()
        if not self.shared:
            ProcessCollector(registry=registry)
        self._requests = Counter("corebox_requests", "Requests by path, status and code of the problem",
                                 ["path", "status", "code"], registry=registry)
        self._seconds = Histogram("corebox_stage_seconds", "Time of a request's stages", ["stage"],
                                  buckets=BUCKETS, registry=registry)
        self._refusals = Counter("corebox_refusals", "Answers that refuse the picture, by reason",
                                 ["task", "reason"], registry=registry)
        self._models = Gauge("corebox_model_info", "1 for each model that is served", ["task", "version"],
                             registry=registry, multiprocess_mode="livemax")
        self._held = Gauge("corebox_in_flight", "Requests that are answered or wait, and how many there may be",
                           ["what"], registry=registry, multiprocess_mode="livesum")
        self._lost = Gauge("corebox_log_lines_lost", "Lines that the log could not take", registry=registry,
                           multiprocess_mode="livesum")
        self._known = set()
        self.reloads = Counter("corebox_reloads", "Models that were loaded", registry=registry)
        self.reload_failures = Counter("corebox_reload_failures", "Models that were refused", registry=registry)
        for stage in STAGES:
            self._seconds.labels(stage)

    def stage(self, name):
        """A context manager that times a stage."""
        return self._seconds.labels(name).time()

    def observe(self, name, seconds):
        """Note how long a stage took."""
        self._seconds.labels(name).observe(seconds)

    def request(self, path, status, code):
        """Count a request; `path` is the route's pattern, so that there are few of them."""
        self._requests.labels(path, status, code).inc()

    def refusal(self, task, reason):
        """Count an answer that refuses its picture; None is none."""
        if reason:
            self._refusals.labels(task, reason).inc()

    def update(self, models, executor, lost):
        """Set the gauges: the models that are served, the places taken, the log lines lost."""
        now = {(task, one.version) for task, one in models.items()}
        for gone in self._known - now:
            self._models.labels(*gone).set(0)
        for one in now:
            self._models.labels(*one).set(1)
        self._known |= now
        self._held.labels("now").set(executor.taken)
        self._held.labels("most").set(executor.capacity)
        self._lost.set(lost)

    def text(self):
        """Everything in Prometheus' text format; of several processes, what all that live have noted together."""
        if not self.shared:
            return generate_latest(self.registry)
        from prometheus_client import multiprocess

        for path in Path(self.shared).glob("gauge_live*_*.db"):
            pid = path.stem.rpartition("_")[2]
            if not Path(f"/proc/{pid}").exists():
                multiprocess.mark_process_dead(int(pid), self.shared)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together, self.shared)
        return generate_latest(together)
