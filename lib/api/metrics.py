"""What is counted and timed, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

STAGES = ("read", "fetch", "queue", "decode", "infer", "draw", "total")
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)  # s


class Metrics:
    """The counters of one application; `text` is what Prometheus reads."""

    TYPE = CONTENT_TYPE_LATEST

    def __init__(self):
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("corebox_requests", "Requests by path, status and code of the problem",
                                 ["path", "status", "code"], registry=registry)
        self._seconds = Histogram("corebox_stage_seconds", "Time of a request's stages", ["stage"],
                                  buckets=BUCKETS, registry=registry)
        self._refusals = Counter("corebox_refusals", "Answers that refuse the picture, by reason",
                                 ["task", "reason"], registry=registry)
        self._models = Gauge("corebox_model_info", "1 for each model that is served", ["task", "version"],
                             registry=registry)
        self._held = Gauge("corebox_in_flight", "Requests that are answered or wait, and how many there may be",
                           ["what"], registry=registry)
        self._lost = Gauge("corebox_log_lines_lost", "Lines that the log could not take", registry=registry)
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

    def text(self, models, desk, lost):
        """Everything in Prometheus' text format, with the models, the desk and the log as they are now."""
        self._models.clear()
        for task, one in models.items():
            self._models.labels(task, one.version).set(1)
        self._held.labels("now").set(desk.taken)
        self._held.labels("most").set(desk.room)
        self._lost.set(lost)
        return generate_latest(self.registry)
