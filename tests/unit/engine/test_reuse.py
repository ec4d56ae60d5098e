"""Requests for one recording: who hears it, and what the others learn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from inference_service.engine.cache import ResultCache
from inference_service.engine.progress_meter import StageUpdate
from inference_service.engine.results import CachedResult, Heard
from inference_service.engine.reuse import Hearings, LocalHearings, Reuse
from inference_service.engine.shared_hearings import SharedHearings
from inference_service.engine.shared_state import SharedState
from inference_service.engine.worker import Position, Update
from inference_service.errors import (
    AudioSilent,
    Cancelled,
    DeadlineExceeded,
    Internal,
    NotabotError,
    QueueFull,
    ShuttingDown,
)
from inference_service.pipeline.options import Preset
from inference_service.progress import Stage
from tests.service.running import build_transcription, wait_until
from tests.valkey_server import ValkeyServer

MODELS = {"song": "a@1"}
SONG = b"a song"


class Service:
    """Requests at gateways in turn, whose hearings are held until they are released."""

    def __init__(self, folder: Path, hearings: Sequence[Hearings]) -> None:
        self.results = ResultCache(folder, 100, 10**6, 1000.0)
        self.models = MODELS
        self._gateways = [
            Reuse(self.results, "recipe", lambda: self.models, each) for each in hearings
        ]
        self.reuse = self._gateways[0]
        self._next = cycle(self._gateways)
        self.began = 0
        self.release = asyncio.Event()
        self.fails: Iterator[NotabotError] = iter(())

    async def ask(
        self,
        data: bytes = SONG,
        preset: Preset = Preset.AUTO,
        title: str = "",
        deadline_s: float = 1000.0,
    ) -> list[Update | str]:
        """Make a request; returns its events."""

        async def hear(data: bytes, recording: str) -> AsyncGenerator[Update | str, None]:
            self.began += 1
            key = self.reuse.build_key(recording, preset, self.models)
            yield Position(2, 10.0)
            yield StageUpdate(Stage.TAGGING, 0.5, 0.5, 10.0)
            await self.release.wait()
            for error in self.fails:
                raise error
            yield self.results.put(CachedResult(build_transcription(), title), {"r": data}, key)

        async def write(heard: Heard, key: str) -> AsyncGenerator[Update | str, None]:
            yield StageUpdate(Stage.NOTATION, 0.5, 0.5, 1.0)
            result = CachedResult(heard.transcription, title)
            yield self.results.put_again(heard.result_id, result, key)

        deadline_s += time.monotonic()
        events = next(self._next).share(data, preset, deadline_s, hear, write)
        return [event async for event in events]

    async def ask_at_once(self, count: int = 3, **request: Any) -> list[asyncio.Task[Any]]:
        """Make requests that all wait for one hearing, that of the first."""
        tasks = [asyncio.create_task(self.ask(title="0", **request))]
        await wait_until(lambda: self.began == 1)
        tasks += [asyncio.create_task(self.ask(title=f"{n}", **request)) for n in range(1, count)]
        await asyncio.sleep(0.2)
        return tasks


@pytest.fixture(params=["local", "valkey"])
async def hearings(request: pytest.FixtureRequest) -> AsyncIterator[list[Hearings]]:
    """Those of one gateway, or of two that share state."""
    if request.param == "local":
        yield [LocalHearings()]
        return
    url = request.getfixturevalue("valkey").url
    states = [SharedState(url) for _ in range(2)]
    yield [SharedHearings(state, lease_s=1.0, beat_s=0.02) for state in states]
    await asyncio.sleep(0.1)  # leases end in the background
    for state in states:
        await state.close()


@pytest.fixture
def service(tmp_path: Path, hearings: list[Hearings]) -> Service:
    return Service(tmp_path, hearings)


async def test_what_was_heard_before_is_not_heard_again(service: Service) -> None:
    service.release.set()
    first, second = [await service.ask(title=title) for title in ("one", "two")]
    assert service.began == 1
    assert first[-1] != second[-1]
    titles = [service.results.get(str(events[-1])).title for events in (first, second)]
    assert titles == ["one", "two"]
    assert service.results.get_sounds(str(second[-1])) == {"r": SONG}


async def test_another_recording_preset_or_model_is_heard(service: Service) -> None:
    service.release.set()
    await service.ask()
    await service.ask(b"another song")
    await service.ask(preset=Preset.SONG)
    service.models = {"song": "a@2"}
    await service.ask()
    assert service.began == 4
    other = Reuse(service.results, "another recipe", lambda: MODELS, LocalHearings())
    keys = {reuse.build_key("recording", Preset.AUTO, MODELS) for reuse in (service.reuse, other)}
    assert len(keys) == 2


async def test_requests_at_once_share_one_hearing_and_its_progress(service: Service) -> None:
    tasks = await service.ask_at_once()
    service.release.set()
    answers = [await task for task in tasks]
    assert service.began == 1
    assert len({events[-1] for events in answers}) == 3
    for number, events in enumerate(answers):
        assert service.results.get(events[-1]).title == f"{number}"
    for events in answers[1:]:
        updates = [event for event in events if isinstance(event, StageUpdate)]
        assert updates[0] == StageUpdate(Stage.TAGGING, 0.5, 0.5, 10.0)
        fractions = [update.overall_fraction for update in updates]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 0.75


async def test_if_the_first_is_cancelled_another_hears(service: Service) -> None:
    tasks = await service.ask_at_once()
    tasks[0].cancel()
    await wait_until(lambda: service.began == 2)
    service.release.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert service.began == 2
    assert isinstance(answers[0], asyncio.CancelledError)
    assert len({events[-1] for events in answers[1:] if isinstance(events, list)}) == 2


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), Cancelled("gone"), Internal("broke")])
async def test_an_error_of_one_request_is_not_the_others(
    service: Service, error: NotabotError
) -> None:
    service.fails = iter([error])
    tasks = await service.ask_at_once()
    service.release.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert service.began == 2
    assert answers[0] is error
    assert not any(isinstance(events, BaseException) for events in answers[1:])


@pytest.mark.parametrize("error", [AudioSilent("silent"), ShuttingDown("down", retry_after_s=1.0)])
async def test_an_error_of_the_recording_or_the_service_is_everybodys(
    service: Service, error: NotabotError, hearings: list[Hearings]
) -> None:
    if isinstance(error, ShuttingDown) and len(hearings) > 1:
        pytest.skip("another gateway does not shut down")
    service.fails = iter([error])
    tasks = await service.ask_at_once()
    service.release.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert service.began == 1
    assert [type(answer) for answer in answers] == [type(error)] * 3
    assert len({id(answer) for answer in answers}) == 3


async def test_who_follows_keeps_a_deadline_of_their_own(service: Service) -> None:
    leading = (await service.ask_at_once(1))[0]
    with pytest.raises(DeadlineExceeded):
        await service.ask(deadline_s=0.05)
    service.release.set()
    assert isinstance((await leading)[-1], str)


async def test_who_waits_while_a_model_is_switched_hears_by_the_new_one(service: Service) -> None:
    tasks = await service.ask_at_once(2)
    service.models = {"song": "a@2"}
    service.release.set()
    await asyncio.gather(*tasks)
    assert service.began == 2
    await service.ask()
    assert service.began == 2


async def test_after_forgetting_it_is_heard_again(service: Service) -> None:
    service.release.set()
    events = await service.ask()
    service.results.forget(str(events[-1]))
    await service.ask()
    assert service.began == 2


async def test_a_store_that_is_down_costs_a_hearing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.release.set()
    await service.ask()

    def fail(key: str) -> None:
        raise QueueFull("down", retry_after_s=1.0)

    monkeypatch.setattr(service.results, "find_heard", fail)
    assert isinstance((await service.ask())[-1], str)
    assert service.began == 2


async def test_nothing_is_left_of_a_hearing(service: Service) -> None:
    hearings = LocalHearings()
    reuse = Reuse(service.results, "recipe", lambda: MODELS, hearings)
    lead = await hearings.lead(reuse.build_key("recording", Preset.AUTO, MODELS))
    assert lead is not None
    with lead:
        assert hearings._leads
        lead.end()
    assert not hearings._leads


async def test_if_a_gateway_shuts_down_another_hears(tmp_path: Path, valkey: ValkeyServer) -> None:
    states = [SharedState(valkey.url) for _ in range(2)]
    service = Service(tmp_path, [SharedHearings(state, beat_s=0.02) for state in states])
    service.fails = iter([ShuttingDown("down", retry_after_s=1.0)])
    first, second = await service.ask_at_once(2)
    service.release.set()
    with pytest.raises(ShuttingDown):
        await first
    assert isinstance((await second)[-1], str)
    assert service.began == 2
    for state in states:
        await state.close()


async def test_the_lease_of_a_dead_gateway_ends(valkey: ValkeyServer) -> None:
    dead, alive = SharedState(valkey.url), SharedState(valkey.url)
    assert await SharedHearings(dead, lease_s=0.3).lead("key")  # never entered, so never renewed
    hearings = SharedHearings(alive, lease_s=0.3, beat_s=0.02)
    assert await hearings.lead("key") is None
    updates = [update async for update in hearings.follow("key", time.monotonic() + 30.0)]
    assert updates == []
    lead = await hearings.lead("key")
    assert lead is not None
    with lead:
        await asyncio.sleep(0.6)  # longer than a lease
        assert await SharedHearings(dead).lead("key") is None
    for state in (dead, alive):
        await state.close()


async def test_without_the_server_every_gateway_hears(tmp_path: Path, valkey: ValkeyServer) -> None:
    states = [SharedState(valkey.url) for _ in range(2)]
    service = Service(tmp_path, [SharedHearings(state) for state in states])
    service.release.set()
    valkey.stop()
    for title in ("one", "two"):
        assert isinstance((await service.ask(title=title))[-1], str)
    for state in states:
        await state.close()
