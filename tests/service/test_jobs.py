"""Accepted jobs outlive the call that sent them, and the service that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from notabot.v1 import jobs_pb2, jobs_pb2_grpc
from notabot.v1 import transcription_pb2 as pb

from inference_service.engine.accepted import MAX_ATTEMPTS
from inference_service.settings import Settings
from tests.service.running import HeldPipeline, Running, read_failure, run_service
from tests.service.running import wait_until as wait_briefly

BOT = "42"
wait_until = partial(wait_briefly, limit_s=20.0)
"""Jobs are written to a disk that may be busy."""


def requests(
    key: str, data: bytes, *, context: str = "notes", is_complete: bool = True
) -> Iterable[pb.TranscribeRequest]:
    """What a caller sends for a job."""
    job = pb.JobContext(bot=BOT, key=key, context=context)
    yield pb.TranscribeRequest(options=pb.TranscribeOptions(preset=pb.PRESET_VOICE, job=job))
    yield pb.TranscribeRequest(audio_chunk=data)
    if is_complete:
        yield pb.TranscribeRequest(complete=pb.UploadComplete())


class Caller:
    """The bot's side of ``Jobs``."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._jobs: Any = jobs_pb2_grpc.JobsStub(running.channel)  # type: ignore[no-untyped-call]

    def send(self, key: str, data: bytes = b"a", **about: Any) -> Any:
        """Begin a job."""
        return self._running.transcription.Transcribe(iter(requests(key, data, **about)))

    def attach(self, key: str) -> Any:
        """Return to a job."""
        return self._jobs.Attach(jobs_pb2.AttachRequest(bot=BOT, key=key))

    async def open(self, bot: str = BOT) -> dict[str, tuple[int, str, bool]]:
        """State, context and whether somebody attends to it, by key."""
        answer = await self._jobs.ListOpen(jobs_pb2.ListOpenRequest(bot=bot))
        return {job.key: (job.state, job.context, job.attended) for job in answer.jobs}

    async def note(self, key: str, context: str) -> None:
        """Replace a context."""
        await self._jobs.Note(jobs_pb2.NoteRequest(bot=BOT, key=key, context=context))

    async def close(self, key: str) -> None:
        """Close a job."""
        await self._jobs.Close(jobs_pb2.CloseRequest(bot=BOT, key=key))


async def read_result(call: Any) -> tuple[list[str], pb.Result]:
    """Kinds of events, and the result; the call stays open."""
    kinds: list[str] = []
    async for event in call:
        kinds.append(event.WhichOneof("event"))
        if event.HasField("result"):
            return kinds, event.result
    raise AssertionError(f"no result: {kinds}")


async def fail(call: Any) -> str:
    """The code with which a call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async for _ in call:
            pass
    return read_failure(raised.value).reason


async def leave(call: Any, held: HeldPipeline, name: str) -> None:
    """End a call once its job is at work."""
    await wait_until(lambda: name in held.began)
    call.cancel()


@pytest.fixture
async def caller(running: Running) -> Caller:
    """A bot that talks to the service."""
    return Caller(running)


@asynccontextmanager
async def restarted(settings: Settings) -> AsyncIterator[tuple[Running, HeldPipeline]]:
    """Another run of the service on the same folders."""
    held = HeldPipeline(settings)
    async with run_service(settings, use_cases=held) as running:
        yield running, held
        held.release.set()


async def test_a_job_is_accepted_before_its_audio_is_read(
    caller: Caller, held: HeldPipeline
) -> None:
    call = caller.send("1", context="where it came from")
    first = await anext(aiter(call))
    assert first.accepted.kept
    assert first.accepted.context == "where it came from"
    await wait_until(lambda: held.began == ["a"])
    assert await caller.open() == {"1": (jobs_pb2.JOB_STATE_RUNNING, "where it came from", True)}
    assert await caller.open("somebody-else") == {}
    held.release.set()
    kinds, _ = await read_result(call)
    assert kinds[-3:] == ["artifact", "artifact", "result"]


async def test_the_work_goes_on_without_its_caller_who_returns_to_it(
    caller: Caller, held: HeldPipeline
) -> None:
    call = caller.send("1")
    await leave(call, held, "a")
    await wait_until(lambda: held.report_count > 5)
    assert held.ended == []
    again = caller.attach("1")
    await anext(aiter(again))
    held.release.set()
    _, result = await read_result(again)
    assert result.key.tonic == "A"
    await caller.close("1")
    assert await caller.open() == {}


async def test_a_result_waits_for_its_caller(caller: Caller, held: HeldPipeline) -> None:
    held.release.set()
    call = caller.send("1")
    _, first = await read_result(call)
    call.cancel()
    await wait_until_open(caller, "1", attended=False)
    kinds, second = await read_result(caller.attach("1"))
    assert (await caller.open())["1"][0] == jobs_pb2.JOB_STATE_DONE
    assert second.result_id == first.result_id
    assert held.began == ["a"], "it was rendered, not heard, again"
    assert kinds.count("artifact") == 2


async def wait_until_open(caller: Caller, key: str, *, attended: bool) -> None:
    async with asyncio.timeout(20):
        while (await caller.open())[key][2] is not attended:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_call_attends_to_a_job_until_it_is_closed(
    caller: Caller, held: HeldPipeline
) -> None:
    held.release.set()
    call = caller.send("1")
    await read_result(call)
    assert await fail(caller.attach("1")) == "JOB_TAKEN"
    assert await fail(caller.send("1")) == "JOB_TAKEN"
    await caller.close("1")
    assert [event async for event in call] == [], "closing ends the call"
    assert await fail(caller.attach("1")) == "JOB_UNKNOWN"
    assert await fail(caller.send("1")) == "JOB_TAKEN", "nothing is accepted twice"


async def test_closing_stops_the_work(caller: Caller, held: HeldPipeline, running: Running) -> None:
    call = caller.send("1")
    await wait_until(lambda: held.began == ["a"])
    await caller.close("1")
    await wait_until(lambda: held.ended == ["a"])
    assert await fail(call) == "CANCELLED"
    await wait_until(lambda: len(running.service.engine.transcriptions) == 0)
    await caller.close("1")
    await caller.close("never-was")


async def test_a_cut_upload_is_sent_again_under_its_first_context(
    caller: Caller, held: HeldPipeline, tmp_path: Path
) -> None:
    call = caller.send("1", b"half", context="first", is_complete=False)
    assert await fail(call) == "CANCELLED"
    assert await caller.open() == {"1": (jobs_pb2.JOB_STATE_UPLOADING, "first", False)}
    assert await fail(caller.attach("1")) == "JOB_UNKNOWN"
    assert list((tmp_path / "results" / "jobs").glob("*.audio")) == []
    held.release.set()
    again = caller.send("1", b"whole", context="second")
    assert (await anext(aiter(again))).accepted.context == "first"
    await read_result(again)
    assert held.began == ["whole"]


async def test_notes_are_kept(caller: Caller, held: HeldPipeline) -> None:
    call = caller.send("1", context="before")
    await wait_until(lambda: held.began == ["a"])
    await caller.note("1", "after")
    assert (await caller.open())["1"][1] == "after"
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await caller.note("2", "nothing")
    assert read_failure(raised.value).reason == "JOB_UNKNOWN"
    call.cancel()


async def test_a_failure_waits_for_its_caller_too(running: Running) -> None:
    caller = Caller(running)
    call = caller.send("1", b"\xff")  # the held pipeline cannot decode it
    assert await fail(call) == "INTERNAL"
    assert (await caller.open())["1"][0] == jobs_pb2.JOB_STATE_FAILED
    assert await fail(caller.attach("1")) == "INTERNAL"


@pytest.mark.parametrize("job", [{"bot": "a b"}, {"key": ""}, {"context": "x" * 9000}])
async def test_malformed_jobs_are_refused(running: Running, job: dict[str, str]) -> None:
    context = pb.JobContext(**{"bot": BOT, "key": "1", **job})
    options = pb.TranscribeRequest(options=pb.TranscribeOptions(job=context))
    assert await fail(running.transcription.Transcribe(iter([options]))) == "INVALID_OPTIONS"


async def test_places_are_counted_once_and_given_back(
    caller: Caller, held: HeldPipeline, running: Running
) -> None:
    calls = [caller.send(str(number)) for number in range(3)]
    queue = running.service.engine.transcriptions
    await wait_until(lambda: len(running.service.jobs._running) == 3)
    assert len(queue) == 3
    assert await fail(caller.send("4")) == "QUEUE_FULL"
    for call in calls:
        call.cancel()
    await asyncio.sleep(0.1)
    assert len(queue) == 3, "the work goes on"
    held.release.set()
    await wait_until(lambda: len(queue) == 0)
    assert running.service.engine.counters.completed == 3


async def test_a_restarted_service_runs_what_was_accepted(settings: Settings) -> None:
    async with restarted(settings) as (running, held):
        caller = Caller(running)
        calls = [caller.send("a", b"a")]
        await wait_until(lambda: held.began == ["a"])
        calls.append(caller.send("b", b"b"))
        await wait_until(lambda: len(running.service.jobs._running) == 2)
        await running.service.stop(drain_s=0.0)
        assert await fail(calls[0]) == "SHUTTING_DOWN"
    async with restarted(settings) as (running, held):
        caller = Caller(running)
        jobs = await caller.open()
        assert {key: state for key, (state, _, _) in jobs.items()} == {
            "a": jobs_pb2.JOB_STATE_RUNNING, "b": jobs_pb2.JOB_STATE_RUNNING
        }  # fmt: skip
        held.release.set()
        for key in jobs:
            await read_result(caller.attach(key))
        assert sorted(held.began) == ["a", "b"], "in the order in which they were decoded"


async def test_a_call_is_answered_if_the_service_stops_while_the_outcome_is_written(
    running: Running, caller: Caller, held: HeldPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = asyncio.Event()

    async def never_written(*_: Any) -> None:
        writing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(running.service.jobs, "_settle", never_written)
    call = caller.send("1")
    held.release.set()
    await writing.wait()
    await running.service.jobs.stop()
    async with asyncio.timeout(5):
        kinds, _ = await read_result(call)
    assert kinds[0] == "accepted"


async def test_a_recording_that_brings_the_service_down_does_not_for_ever(
    settings: Settings,
) -> None:
    async with restarted(settings) as (running, held):
        caller = Caller(running)
        caller.send("1")
        await wait_until(lambda: held.began == ["a"])
        [(record, _)] = await running.service.jobs.list_open(BOT)
        store = running.service.jobs._store
        # What is on the disk after several crashes.
        await store.change(record, attempts=MAX_ATTEMPTS)
        await running.service.jobs.stop()
        await store.change(record, attempts=MAX_ATTEMPTS)
    async with restarted(settings) as (running, held):
        assert await fail(Caller(running).attach("1")) == "INTERNAL"
        assert held.began == []


async def test_recordings_that_only_wait_are_not_to_blame_for_a_service_that_ends(
    running: Running, caller: Caller, held: HeldPipeline
) -> None:
    caller.send("1", b"a")
    await wait_until(lambda: held.began == ["a"])
    waits = caller.send("2", b"b")
    assert (await anext(aiter(waits))).accepted.kept
    jobs = running.service.jobs

    async def find_counts() -> dict[str, tuple[int, int]]:
        found = await jobs.list_open(BOT)
        return {record.key: (record.starts, record.attempts) for record, _ in found}

    async with asyncio.timeout(5):
        while await find_counts() != {"1": (1, 1), "2": (1, 0)}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    held.release.set()
    await read_result(waits)
    assert (await find_counts())["2"] == (1, 1)


async def test_without_a_disk_jobs_run_in_memory(
    settings: Settings, held: HeldPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inference_service.engine.journal.open_private", refuse)
    monkeypatch.setattr("inference_service.engine.upload.open_private", refuse)
    held.release.set()
    async with run_service(settings, use_cases=held) as running:
        call = Caller(running).send("1", b"kept in memory")
        assert not (await anext(aiter(call))).accepted.kept
        await read_result(call)
    assert held.began == ["kept in memory"]


async def test_a_job_whose_upload_stalls_may_be_sent_again(build: Callable[..., Settings]) -> None:
    settings = build(server={"upload_stall_s": 0.3})

    async def stall() -> AsyncIterator[pb.TranscribeRequest]:
        for request in requests("1", b"a", is_complete=False):
            yield request
        await asyncio.Event().wait()

    async with restarted(settings) as (running, held):
        caller = Caller(running)
        assert await fail(running.transcription.Transcribe(stall())) == "JOB_UNKNOWN"
        assert len(running.service.engine.transcriptions) == 0
        held.release.set()
        kinds, _ = await read_result(caller.send("1"))
        assert kinds[-1] == "result"
