"""A notebook as a web app: no kernel before a person asks, a bound on their number, and an end to those left alone."""

import asyncio
import time

import pytest

from lib.common.notebook_app import command, environment, kernels


class Manager:
    """In place of Jupyter's kernel manager: kernels by their number of connections."""

    def __init__(self):
        self._kernel_connections = {}

    def list_kernel_ids(self):
        return list(self._kernel_connections)

    async def shutdown_kernel(self, kernel):
        del self._kernel_connections[kernel]


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def admitted(bound):
    return asyncio.run(bound.admit())


def test_a_key_is_good_for_one_kernel_and_for_a_minute(clock):
    bound = kernels.Kernels(Manager(), 4)
    key = admitted(bound)
    assert bound.redeem(key) and not bound.redeem(key) and not bound.redeem("guessed")
    late = admitted(bound)
    clock[0] += 61
    assert not bound.redeem(late)


def test_no_more_kernels_than_may_be_and_keys_count_too(clock):
    manager = Manager()
    bound = kernels.Kernels(manager, 2)
    bound.redeem(admitted(bound))
    manager._kernel_connections["a"] = 1
    admitted(bound)
    with pytest.raises(kernels.Full, match="2 pages are open already"):
        admitted(bound)
    clock[0] += 61
    admitted(bound)


def test_a_kernel_whose_page_is_gone_makes_way_and_one_that_just_began_does_not(clock):
    manager = Manager()
    bound = kernels.Kernels(manager, 2)
    manager._kernel_connections |= {"left": 1, "new": 0}
    bound.observe()
    manager._kernel_connections["left"] = 0
    clock[0] += 10
    with pytest.raises(kernels.Full):
        admitted(bound)
    clock[0] += 10
    admitted(bound)
    assert list(manager._kernel_connections) == ["new"]
    clock[0] += 90
    admitted(bound)
    assert not manager._kernel_connections, "its page never came"


def test_the_command_names_the_bound_and_a_token_only_where_there_is_one():
    words = command("page.ipynb", "127.0.0.1", 8866, 3)
    assert "--NotebookApp.views=3" in words and not [word for word in words if "token" in word]
    assert "--token=t" in command("page.ipynb", "0.0.0.0", 8866, 3, "t")
    assert environment()["JUPYTER_PATH"].split(":")[0].endswith("share")
