"""Erasing somebody on a real server: the run ends, and coming back begins one of its own."""

from pathlib import Path

from api.dispatcher import Dispatcher
from api.erasing import erase
from tests.races.test_exit_races import _begin, _carry_all, _stack
from tests.temporal import dev_server


async def test_the_run_ends_as_exited_and_who_comes_back_gets_another(tmp_path: Path) -> None:
    with dev_server(tmp_path) as address:
        async with _stack(tmp_path, address) as services:
            assert services.temporal is not None
            await _begin(services, "joan", services.now())
            await _carry_all(services, Dispatcher(services, services.temporal))
            await erase(services, "joan", "test")
            await _carry_all(services, Dispatcher(services, services.temporal))
            ended = services.temporal.get_workflow_handle("race:joan")
            assert await ended.result() == "exited"
            history = await ended.fetch_history()
            assert "joan@example.com" not in history.to_json()
            await _begin(services, "joan", services.now())
            await _carry_all(services, Dispatcher(services, services.temporal))
            again = await services.temporal.get_workflow_handle("race:joan:~2").describe()
            assert again.status is not None
            assert again.status.name == "RUNNING"
