"""What the cells of a notebook print, bounded: a flood must fill neither memory nor the disk."""

import collections

MAX_CHARACTERS = 2**20  # characters that one cell may print
TRUNCATED = "\n… the cell printed more than this, which is left out\n"


def register_engine():
    """The name of an engine of papermill's that keeps of what each cell prints the first MOST characters."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.log import logger
    from traitlets.config import Config

    class Client(PapermillNotebookClient):
        printed = None

        def output(self, outs, msg, display_id, cell_index):
            if msg["msg_type"] == "stream":
                self.printed = self.printed or collections.Counter()
                content, before = msg["content"], self.printed[cell_index]
                self.printed[cell_index] += len(content["text"])
                if before > MAX_CHARACTERS:
                    return None
                if self.printed[cell_index] > MAX_CHARACTERS:
                    content["text"] = content["text"][:MAX_CHARACTERS - before] + TRUNCATED
            return super().output(outs, msg, display_id, cell_index)

    class Bounded(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, start_timeout=60, execution_timeout=None, **_):
            # Encrypted, for a kernel remarks on every start that it is not.
            client = Client(nb_man, kernel_name=kernel_name, startup_timeout=start_timeout, timeout=execution_timeout,
                            log=logger, config=Config(KernelManager={"transport_encryption": "auto"}))
            return client.execute()

    papermill_engines.register("bounded", Bounded)
    return "bounded"
