"""The folder of accepted jobs, and recordings on their way to it."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from inference_service.engine.job_store import JobRecord, JobState
from inference_service.engine.journal import Journal
from inference_service.engine.upload import Upload
from inference_service.pipeline.options import Format, Preset, RenderOptions, TranscribeOptions

OPTIONS = TranscribeOptions(
    Preset.PIANO, RenderOptions(title="Lied", formats=frozenset({Format.PNG}))
)


def _open(path: Path, *, max_entries: int = 100, max_age_s: float = 1000.0) -> Journal:
    return Journal(path / "jobs", max_entries, max_age_s)


async def _keys(journal: Journal) -> list[str]:
    return [record.key for record, _ in await journal.list_open("bot")]


async def test_a_record_survives_a_restart(tmp_path: Path) -> None:
    record = await _open(tmp_path).accept("bot", "1", OPTIONS, "context")
    assert await _open(tmp_path).find("bot", "1") == record
    files = list((tmp_path / "jobs").iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600]
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700


async def test_a_closed_job_keeps_nothing_but_its_key(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    record = await journal.accept("bot", "1", OPTIONS, "where it came from")
    journal._audio_path(record).write_bytes(b"recording")
    await journal.close(record)
    [path] = (tmp_path / "jobs").iterdir()
    assert b"where" not in path.read_bytes()
    assert b"Lied" not in path.read_bytes()


async def test_what_a_crash_left_is_deleted(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    cut = await journal.accept("bot", "cut", OPTIONS, "")
    whole = await journal.accept("bot", "whole", OPTIONS, "")
    whole = await journal.change(whole, state=JobState.RUNNING)
    for record in (cut, whole):
        journal._audio_path(record).write_bytes(b"recording")
    folder = tmp_path / "jobs"
    (folder / "half.tmp").write_bytes(b"{")
    (folder / "broken.json").write_bytes(b"{")
    assert await _keys(_open(tmp_path)) == ["cut", "whole"]
    assert [path.stem for path in folder.glob("*.audio")] == [whole.id]
    assert not list(folder.glob("*.tmp"))


async def test_number_and_age_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _open(tmp_path, max_entries=3)
    running = await journal.accept("bot", "0", OPTIONS, "")
    await journal.change(running, state=JobState.RUNNING)
    await journal.close(await journal.accept("bot", "1", OPTIONS, ""))
    for key in "234":
        await journal.accept("bot", key, OPTIONS, "")
    assert await _keys(journal) == ["0", "3", "4"]

    # Changing the time of day deletes nothing.
    monkeypatch.setattr("time.time", lambda: 4e9)
    await journal.accept("bot", "5", OPTIONS, "")
    assert "0" in await _keys(journal)
    monkeypatch.undo()
    started_s = time.monotonic()
    monkeypatch.setattr(
        "inference_service.engine.journal.time.monotonic", lambda: started_s + 2000.0
    )
    await journal.accept("bot", "6", OPTIONS, "")
    assert await _keys(journal) == ["0", "6"], "a running job is kept"


async def test_an_upload_that_the_disk_refuses_goes_on_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(tmp_path / "audio")
    await upload.write(b"on disk, ")

    def refuse(self: Upload, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Upload, "_append", refuse)
    await upload.write(b"in memory")
    assert not upload.is_on_disk
    assert await upload.read() == b"on disk, in memory"
    assert not (tmp_path / "audio").exists()
    upload.close()


async def test_an_upload_reaches_the_disk(tmp_path: Path) -> None:
    upload = Upload(tmp_path / "audio")
    for chunk in (b"one ", b"two"):
        await upload.write(chunk)
    await upload.finish()
    assert upload.is_on_disk
    assert await upload.read() == (tmp_path / "audio").read_bytes() == b"one two"
    upload.close()


def test_job_ids_do_not_collide(tmp_path: Path) -> None:
    one = JobRecord("a", "bc", "", OPTIONS, 0.0)
    other = JobRecord("ab", "c", "", OPTIONS, 0.0)
    assert one.id != other.id
