"""An exported network: a LiteRT file as a function of a batch of pixels, without TensorFlow."""

import contextlib
import os
import queue
import tempfile
import threading

import numpy as np

from lib.serving.export_check import BadExport, first_line

GREETING = threading.Lock()    # taken for good by the first network of a process


@contextlib.contextmanager
def _without_greeting():
    """LiteRT says once in a process, below Python, that it is there; what else is said on standard error passes on.

    It has no setting for that (ai-edge-litert 2.3).
    """
    if not GREETING.acquire(blocking=False):
        yield
        return
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        try:
            os.dup2(said.fileno(), 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not line.startswith(b"INFO: Created TensorFlow Lite")))


class ExportedNetwork:
    """An exported network: a function of a uint8 batch (n, height, width, 3) that any number of threads may call.

    It gives the array of a network with one output, else a dict of arrays by output name.
    """

    def __init__(self, path, name, entry, threads):
        # Read whole, not mapped: the file may be replaced or cut while it is served.
        self._content, self._threads, self._outputs = path.read_bytes(), threads, entry["outputs"]
        self._shape = entry["input"]
        self._idle = queue.LifoQueue()  # an interpreter serves one thread at a time
        try:
            with _without_greeting():
                runner = self._open()
                (self._input, details), = runner.get_input_details().items()
                self._type = details["dtype"]
                self._idle.put(runner)
                found = self._run(np.zeros((1, *entry["input"]), np.uint8))
        except (ValueError, RuntimeError) as error:  # what LiteRT raises on a file it cannot run
            raise BadExport(f"{path.name} cannot be run: {first_line(error)}") from error
        shapes = {key: list(value.shape[1:]) for key, value in found.items()}
        if shapes != self._outputs:
            raise BadExport(f"{name} answers {shapes}; export.json says {self._outputs}")

    def __call__(self, batch):
        outputs = self._run(batch)
        return outputs["output"] if set(outputs) == {"output"} else outputs

    def warm(self, count):
        """Have `count` interpreters ready, so that as many threads may ask at once without waiting for theirs."""
        batch = np.zeros((1, *self._shape), np.uint8)
        for _ in range(count - self._idle.qsize()):
            runner = self._open()
            runner(**{self._input: np.ascontiguousarray(batch, self._type)})
            self._idle.put(runner)

    def _open(self):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_content=self._content, num_threads=self._threads).get_signature_runner()

    def _run(self, batch):
        try:
            runner = self._idle.get_nowait()
        except queue.Empty:
            runner = self._open()
        outputs = runner(**{self._input: np.ascontiguousarray(batch, self._type)})
        self._idle.put(runner)  # one that has failed is not used again
        return outputs
