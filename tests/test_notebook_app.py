"""A notebook as a web app: no kernel before a person asks, a bound on their number, and an end to those left alone."""

import asyncio
import contextlib
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
        await asyncio.sleep(0)   # not longer: the clock of a test may stand
        del self._kernel_connections[kernel]

    async def start_kernel(self, name):
        await asyncio.sleep(0.05)
        if name.startswith("bad"):
            raise OSError("it does not start")
        self._kernel_connections[name] = 1


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def admitted(bound):
    return asyncio.run(bound.admit())


def redeemed(bound, key):
    async def ask():
        with bound.redeemed(key) as good:
            return good

    return asyncio.run(ask())


def test_a_key_is_good_for_one_kernel_and_for_a_minute(clock):
    bound = kernels.Kernels(Manager(), 4)
    key = admitted(bound)
    assert redeemed(bound, key) and not redeemed(bound, key) and not redeemed(bound, "guessed")
    late = admitted(bound)
    clock[0] += 61
    assert not redeemed(bound, late)


def test_no_more_kernels_than_may_be_and_keys_count_too(clock):
    manager = Manager()
    bound = kernels.Kernels(manager, 2)
    redeemed(bound, admitted(bound))
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


def test_pages_that_begin_at_one_instant_stay_within_the_bound():
    manager, most = Manager(), []
    bound = kernels.Kernels(manager, 3)

    async def page(name):
        for _ in range(40):   # it asks until there is a place, as a person does
            with contextlib.suppress(kernels.Full):
                with bound.redeemed(await bound.admit()) as good:
                    assert good
                    started.add(name)
                    most.append(len(started))
                    try:
                        await manager.start_kernel(name)
                    except OSError:
                        started.discard(name)
                        return "bad"
                    await asyncio.sleep(0.05)   # the notebook is drawn
                    return "good"
            await asyncio.sleep(0.01)
        return "full"

    async def all_at_once():
        return await asyncio.gather(*(page(f"{'bad' if n < 2 else 'good'} {n}") for n in range(8)))

    started = set()
    assert sorted(asyncio.run(all_at_once())) == ["bad"] * 2 + ["full"] * 3 + ["good"] * 3
    assert max(most) == 3 == len(manager.list_kernel_ids())


def test_one_lonely_kernel_is_shut_down_once_by_two_who_come_at_once(clock):
    manager = Manager()
    bound = kernels.Kernels(manager, 3)
    manager._kernel_connections["left"] = 1
    bound.observe()
    manager._kernel_connections["left"] = 0
    clock[0] += 20

    async def two():
        return await asyncio.gather(bound.admit(), bound.admit())

    assert len(set(asyncio.run(two()))) == 2 and not manager._kernel_connections


def test_the_command_names_the_bound_and_a_token_only_where_there_is_one():
    words = command("page.ipynb", "127.0.0.1", 8866, 3)
    assert "--NotebookApp.views=3" in words and not [word for word in words if "token" in word]
    assert "--token=t" in command("page.ipynb", "0.0.0.0", 8866, 3, "t")
    assert environment()["JUPYTER_PATH"].split(":")[0].endswith("share")
