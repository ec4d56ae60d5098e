"""What the engine needs of a store of accepted jobs, for every kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from inference_service.engine.job_store import JobRecord, JobState, JobStore, StoredError
from inference_service.engine.journal import Journal
from inference_service.errors import JobTaken, JobUnknown
from inference_service.pipeline.options import Format, Preset, RenderOptions, TranscribeOptions

OPTIONS = TranscribeOptions(
    Preset.PIANO, RenderOptions(title="Lied", formats=frozenset({Format.PNG, Format.PDF}))
)

Open = Callable[[], JobStore]
"""Opens the store; later calls find what earlier ones wrote."""


@pytest.fixture(params=["folder", "valkey"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Each kind of store."""
    opened: list[JobStore] = []
    if request.param == "folder":

        def build() -> JobStore:
            return Journal(tmp_path / "jobs", 100, 1000.0)
    else:
        from inference_service.engine.recordings import FolderRecordings
        from inference_service.engine.shared_journal import SharedJournal
        from inference_service.engine.shared_state import SharedState

        url = request.getfixturevalue("valkey").url

        def build() -> JobStore:
            recordings = FolderRecordings(tmp_path / "jobs", 1000.0)
            return SharedJournal(SharedState(url), recordings, 1000.0, lease_s=0.5)

    def open_one() -> JobStore:
        opened.append(build())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.disconnect()


async def seal(store: JobStore, record: JobRecord, data: bytes = b"recording") -> Any:
    upload = store.receive(record)
    await upload.write(data)
    recording = await store.seal(record, upload)
    upload.close()
    return recording


async def test_every_value_survives_a_restart(open_store: Open) -> None:
    store = open_store()
    record = await store.accept("bot", "1", OPTIONS, "context")
    assert await open_store().find("bot", "1") == record
    error = StoredError("AUDIO_TOO_LONG", "too long", {"limit_s": 900.0})
    changed = await store.change(
        record, state=JobState.FAILED, attempts=2, error=error, context="new"
    )
    assert changed.options == OPTIONS
    assert await open_store().find("bot", "1") == changed


async def test_nothing_is_accepted_twice(open_store: Open) -> None:
    store = open_store()
    record = await store.accept("bot", "1", OPTIONS, "first")
    again = await store.accept("bot", "1", OPTIONS, "second")
    assert again == record, "its upload was cut off"
    await seal(store, record)
    with pytest.raises(JobTaken):
        await store.accept("bot", "1", OPTIONS, "")
    await store.close(record)
    with pytest.raises(JobTaken):
        await open_store().accept("bot", "1", OPTIONS, "")
    await store.accept("another", "1", OPTIONS, "")


async def test_changes_of_other_fields_are_kept(open_store: Open) -> None:
    store = open_store()
    record = await store.accept("bot", "1", OPTIONS, "before")
    await store.change(record, context="after")
    await store.change(record, attempts=1)
    found = await store.find("bot", "1")
    assert (found.context, found.attempts) == ("after", 1)


async def test_open_jobs_are_listed_by_caller_and_age(open_store: Open) -> None:
    store = open_store()
    for key in "213":
        await store.accept("bot", key, OPTIONS, "")
    other = await store.accept("another", "1", OPTIONS, "")
    closed = await store.accept("bot", "4", OPTIONS, "")
    await store.close(closed)
    assert [record.key for record, _ in await store.list_open("bot")] == list("213")
    assert await store.list_open("another") == [(other, False)]
    assert await store.list_open("nobody") == []


async def test_a_closed_job_keeps_nothing_but_its_key(open_store: Open, tmp_path: Path) -> None:
    store = open_store()
    record = await store.accept("bot", "1", OPTIONS, "where it came from")
    await seal(store, record)
    await store.close(record)
    assert not list((tmp_path / "jobs").glob("*.audio"))
    for use in (store.find("bot", "1"), store.change(record, context=""), store.close(record)):
        with pytest.raises(JobUnknown):
            await use


async def test_one_call_attends_to_a_job(open_store: Open) -> None:
    store = open_store()
    record = await store.accept("bot", "1", OPTIONS, "")
    assert await store.attend(record.id)
    assert not await store.attend(record.id)
    assert await store.list_open("bot") == [(record, True)]
    await store.leave(record.id)
    assert await store.list_open("bot") == [(record, False)]
    assert await store.attend(record.id)


async def test_what_an_earlier_run_left_is_claimed_once(open_store: Open) -> None:
    store = open_store()
    cut = await store.accept("bot", "cut", OPTIONS, "")
    whole = await store.accept("bot", "whole", OPTIONS, "")
    recording = await seal(store, whole)
    assert await recording.read() == b"recording"
    whole = await store.settle(whole, attempts=1)  # stopped with its service
    later = open_store()
    [(claimed, again)] = await later.claim(10)
    assert (claimed, await again.read()) == (whole, b"recording")
    assert claimed != cut
    assert await later.claim(10) == []


async def test_a_settled_job_has_its_outcome_and_no_recording(
    open_store: Open, tmp_path: Path
) -> None:
    store = open_store()
    record = await store.accept("bot", "1", OPTIONS, "")
    await seal(store, record)
    await store.settle(record, state=JobState.DONE, result_id="result")
    found, _ = await open_store().watch(record)
    assert (found.state, found.result_id) == (JobState.DONE, "result")
    assert not list((tmp_path / "jobs").glob("*.audio"))
    assert await open_store().claim(10) == []
