"""Who does the work on pictures? Threads of this process or the workers of Dask, by the same functions."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

from lib.common import config

CONNECT_SECONDS = 15   # s for a scheduler to answer


@contextlib.contextmanager
def executor(settings, threads=None):
    """An object with `submit` and `map` as an executor has them, by the settings of group `compute`.

    `threads` is how many, where they do the work; else `workers` of the settings. With Dask, function and arguments
    travel to other processes, and what a lost worker had in hand is done again, up to `retries` times; files that the
    function reads must be reachable from there. config.ConfigError where no scheduler answers.
    """
    if settings.engine == "threads":
        with ThreadPoolExecutor(threads or settings.workers) as pool:
            yield pool
        return
    with _client(settings) as client:
        yield _DaskExecutor(client, settings.retries)


@contextlib.contextmanager
def _client(settings):
    """A client of the scheduler of the settings, or of one that is started here with processes of one thread each."""
    try:
        from dask import config as dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise config.ConfigError("compute.engine is dask, which is not installed; install the extra [dask]") from error
    dask.set({"distributed.scheduler.allowed-failures": settings.retries})
    with contextlib.ExitStack() as stack:
        try:
            where = settings.scheduler or stack.enter_context(LocalCluster(
                n_workers=settings.workers, threads_per_worker=1, dashboard_address=None))
            client = stack.enter_context(Client(where, timeout=CONNECT_SECONDS))
        except (OSError, TimeoutError, ValueError) as error:
            raise config.ConfigError(f"no Dask scheduler answers at {settings.scheduler or 'this machine'}: "
                                     f"{str(error).splitlines()[0][:120]}; start one, or set compute.engine to threads") from error
        yield client


class _DaskExecutor:
    """Jobs as tasks of Dask; `map` hands them out in lots, so that a message is not larger than the work in it."""

    def __init__(self, client, retries):
        self.client, self.retries = client, retries

    def submit(self, function, *arguments):
        return self.client.submit(function, *arguments, pure=False, retries=self.retries)

    def map(self, function, jobs):
        jobs = list(jobs)
        lot = max(1, min(16, len(jobs) // (4 * max(1, len(self.client.nthreads())))))
        lots = [jobs[at:at + lot] for at in range(0, len(jobs), lot)]
        for future in self.client.map(_run_chunk, lots, function=function, pure=False, retries=self.retries):
            yield from future.result()


def _run_chunk(jobs, function):
    return [function(job) for job in jobs]
