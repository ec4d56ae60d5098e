"""The journal of accepted jobs, and recordings on their way to it."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from inference_service.engine.journal import JobRecord, JobState, Journal, StoredError
from inference_service.engine.upload import Upload
from inference_service.errors import JobTaken, JobUnknown
from inference_service.pipeline.options import Format, Preset, RenderOptions, TranscribeOptions

OPTIONS = TranscribeOptions(
    Preset.PIANO, RenderOptions(title="Lied", formats=frozenset({Format.PNG}))
)


def _open(path: Path, *, max_entries: int = 100, max_age_s: float = 1000.0) -> Journal:
    return Journal(path / "jobs", max_entries, max_age_s)


def test_a_record_survives_a_restart(tmp_path: Path) -> None:
    record = _open(tmp_path).accept("bot", "1", OPTIONS, "context")
    assert _open(tmp_path).find("bot", "1") == record
    files = list((tmp_path / "jobs").iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600]
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700


def test_every_value_survives_a_restart(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    record = journal.accept("bot", "1", OPTIONS, "context")
    error = StoredError("AUDIO_TOO_LONG", "too long", {"limit_s": 900.0})
    changed = journal.change(record, state=JobState.FAILED, attempts=2, error=error, context="new")
    assert _open(tmp_path).find("bot", "1") == changed


def test_nothing_is_accepted_twice(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    record = journal.accept("bot", "1", OPTIONS, "first")
    assert journal.accept("bot", "1", OPTIONS, "second") == record, "its upload was cut off"
    journal.change(record, state=JobState.RUNNING)
    with pytest.raises(JobTaken):
        journal.accept("bot", "1", OPTIONS, "")
    journal.close(record)
    with pytest.raises(JobTaken):
        _open(tmp_path).accept("bot", "1", OPTIONS, "")
    journal.accept("another", "1", OPTIONS, "")


def test_a_closed_job_keeps_nothing_but_its_key(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    record = journal.accept("bot", "1", OPTIONS, "where it came from")
    journal.audio_path(record).write_bytes(b"recording")
    journal.close(record)
    [path] = (tmp_path / "jobs").iterdir()
    assert b"where" not in path.read_bytes()
    assert b"Lied" not in path.read_bytes()
    with pytest.raises(JobUnknown):
        journal.find("bot", "1")
    assert journal.list_open("bot") == []


def test_what_a_crash_left_is_deleted(tmp_path: Path) -> None:
    journal = _open(tmp_path)
    cut = journal.accept("bot", "cut", OPTIONS, "")
    whole = journal.change(journal.accept("bot", "whole", OPTIONS, ""), state=JobState.RUNNING)
    for record in (cut, whole):
        journal.audio_path(record).write_bytes(b"recording")
    folder = tmp_path / "jobs"
    (folder / "half.tmp").write_bytes(b"{")
    (folder / "broken.json").write_bytes(b"{")
    assert {record.key for record in _open(tmp_path).list_open()} == {"cut", "whole"}
    assert [path.stem for path in folder.glob("*.audio")] == [whole.id]
    assert not list(folder.glob("*.tmp"))


def test_number_and_age_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _open(tmp_path, max_entries=3)
    running = journal.change(journal.accept("bot", "0", OPTIONS, ""), state=JobState.RUNNING)
    journal.close(journal.accept("bot", "1", OPTIONS, ""))
    for key in "234":
        journal.accept("bot", key, OPTIONS, "")
    assert [record.key for record in journal.list_open()] == ["0", "3", "4"]

    # Changing the time of day deletes nothing.
    monkeypatch.setattr("time.time", lambda: 4e9)
    journal.accept("bot", "5", OPTIONS, "")
    assert running in journal.list_open()
    monkeypatch.undo()
    started_s = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: started_s + 2000.0)
    journal.accept("bot", "6", OPTIONS, "")
    assert [record.key for record in journal.list_open()] == ["0", "6"], "a running job is kept"


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
