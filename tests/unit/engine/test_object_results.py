"""Results in a bucket: age, faults, and what is left of half a request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Any

import obstore
import pytest
from structlog.testing import capture_logs

from inference_service.engine.bucket import Bucket, StoredObject
from inference_service.engine.object_results import ObjectResults
from inference_service.errors import QueueFull, ResultExpired
from tests.s3 import BUCKET, find_s3, run_s3
from tests.unit.engine.test_result_stores import DAY_S, KEY, MINOR, RESULT, SOUNDS, WALTZ


class AgingBucket(Bucket):
    """A bucket in memory, some of whose objects are old, and which fails when it is told to."""

    def __init__(self) -> None:
        super().__init__("memory:///")
        self.age_s: dict[str, float] = {}
        self.writes = 0
        self.writes_left = 1_000_000
        self.fails = False

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._may_fail()
        for each in super().list(prefix):
            ages = (age_s for part, age_s in self.age_s.items() if part in each.path)
            yield replace(each, written_s=each.written_s - next(ages, 0.0))

    def find(self, path: str) -> StoredObject | None:
        self._may_fail()
        return super().find(path)

    def read(self, path: str, max_bytes: int) -> bytes:
        self._may_fail()
        return super().read(path, max_bytes)

    def write(self, path: str, data: bytes | IO[bytes]) -> None:
        self._may_fail()
        if self.writes_left == 0:
            raise QueueFull("down", retry_after_s=1.0)
        self.writes_left -= 1
        self.writes += 1
        super().write(path, data)

    def names(self) -> set[str]:
        folders = ("results", "corrected", "heard")
        return {each.path for folder in folders for each in super(AgingBucket, self).list(folder)}

    def _may_fail(self) -> None:
        if self.fails:
            raise QueueFull("down", retry_after_s=1.0)


@pytest.fixture
def bucket() -> AgingBucket:
    return AgingBucket()


@pytest.fixture
def store(bucket: AgingBucket, monkeypatch: pytest.MonkeyPatch) -> ObjectResults:
    monkeypatch.setattr(ObjectResults, "_sweep_soon", lambda self: None)
    return ObjectResults(bucket, DAY_S)


def test_what_was_not_used_for_long_is_swept(bucket: AgingBucket, store: ObjectResults) -> None:
    old, corrected, kept = (store.put(RESULT, SOUNDS, KEY) for _ in range(3))
    waltz = store.put_corrected(old, WALTZ)
    store.put_corrected(corrected, WALTZ)
    bucket.age_s = {f"results/{old}": 1.1 * DAY_S, f"results/{corrected}/result": 1.1 * DAY_S}
    assert store.sweep() == 1
    for result_id in (old, waltz):
        with pytest.raises(ResultExpired):
            store.get(result_id)
    assert not any(old in name or waltz in name for name in bucket.names())
    assert store.get(corrected) == store.get(kept) == RESULT


def test_a_use_is_recorded_now_and_then(bucket: AgingBucket, store: ObjectResults) -> None:
    result_id = store.put(RESULT)
    writes = bucket.writes
    store.get(result_id)
    assert bucket.writes == writes, "it was just stored"
    other = ObjectResults(bucket, DAY_S)
    other.get(result_id)
    other.get(result_id)
    assert bucket.writes == writes + 1
    bucket.age_s = {"result.json.gz": 1.1 * DAY_S}
    assert store.sweep() == 0
    assert store.get(result_id) == RESULT


def test_one_of_several_services_sweeps(bucket: AgingBucket, store: ObjectResults) -> None:
    result_id = store.put(RESULT)
    bucket.age_s = {result_id: 1.1 * DAY_S}
    ObjectResults(bucket, 2 * DAY_S).sweep()
    assert store.sweep() == 0
    assert store.get(result_id) == RESULT


def test_storing_a_result_sweeps(bucket: AgingBucket) -> None:
    store = ObjectResults(bucket, DAY_S)
    with capture_logs():
        store.put(RESULT)
        store.put(RESULT)
    for thread in threading.enumerate():
        if thread.name == "sweeper":
            thread.join()
    assert bucket.find("swept") is not None


def test_a_store_that_is_down_says_come_back(bucket: AgingBucket, store: ObjectResults) -> None:
    root = store.put(RESULT, SOUNDS, KEY)
    waltz = store.put_corrected(root, WALTZ)
    calls: list[Callable[[], Any]] = [
        lambda: store.get(root),
        lambda: store.get(waltz),
        lambda: store.trace(waltz),
        lambda: store.get_sounds(root),
        lambda: store.list_sounds(waltz),
        lambda: store.open_sound(root, "vocals"),
        lambda: store.find_heard(KEY),
        lambda: store.put_corrected(root, MINOR),
        lambda: store.forget(waltz),
    ]
    bucket.fails = True
    for call in calls:
        with pytest.raises(QueueFull) as raised:
            call()
        assert "retry_after_s" in raised.value.params
    bucket.fails = False
    assert store.get(waltz).transcription.corrections == WALTZ
    assert store.get_sounds(root) == SOUNDS


def test_what_the_store_does_not_take_is_kept_in_memory(
    bucket: AgingBucket, store: ObjectResults
) -> None:
    stored = store.put(RESULT)
    bucket.writes_left = 0
    with capture_logs() as logs:
        unstored = store.put(RESULT, SOUNDS, KEY)
        waltz, minor = store.put_corrected(stored, WALTZ), store.put_corrected(unstored, MINOR)
    assert {log["event"] for log in logs} == {"result_not_stored", "correction_not_stored"}
    assert store.get(unstored) == RESULT
    assert store.get(waltz).transcription.corrections == WALTZ
    assert store.get(minor).transcription.corrections == MINOR
    assert [store.is_lasting(each) for each in (stored, unstored, waltz, minor)] == [
        True,
        False,
        False,
        False,
    ]
    store.forget(unstored)
    for result_id in (unstored, minor):
        with pytest.raises(ResultExpired):
            store.get(result_id)


@pytest.mark.parametrize("writes", range(4))
def test_half_a_result_leaves_nothing_behind(
    bucket: AgingBucket, store: ObjectResults, writes: int
) -> None:
    bucket.writes_left = writes
    with capture_logs():
        result_id = store.put(RESULT, SOUNDS, KEY)
    assert store.get(result_id) == RESULT
    store.forget(result_id)
    assert bucket.names() == set()


def test_a_result_forgotten_meanwhile_takes_no_correction(
    bucket: AgingBucket, store: ObjectResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = store.put(RESULT)
    write = bucket.write

    def forget_then_write(path: str, data: bytes | IO[bytes]) -> None:
        ObjectResults(bucket, DAY_S).forget(root)
        write(path, data)

    monkeypatch.setattr(bucket, "write", forget_then_write)
    with pytest.raises(ResultExpired):
        store.put_corrected(root, WALTZ)
    assert bucket.names() == set()


def test_a_key_that_leads_nowhere_is_passed_over(bucket: AgingBucket, store: ObjectResults) -> None:
    first = store.put(RESULT, key=KEY)
    bucket.write(f"heard/{KEY}/------------", b"")
    heard = store.find_heard(KEY)
    assert heard is not None
    assert heard.result_id == first


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An address at which nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for name, value in find_s3(closed.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.usefixtures("nobody")
def test_a_server_that_is_away_says_come_back_and_tells_no_secrets() -> None:
    store = ObjectResults(Bucket(f"s3://{BUCKET}/some"), DAY_S)
    with capture_logs() as logs, pytest.raises(QueueFull) as raised:
        store.get("AAAAAAAAAAAA")
    assert raised.value.cause == "the store of results cannot be used just now: no answer"
    assert "AAAAAAAAAAAA" not in str(logs)
    with capture_logs():
        assert store.get(store.put(RESULT)) == RESULT


def test_a_bucket_that_is_missing_has_not_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_s3() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        store = ObjectResults(Bucket("s3://missing/some"), DAY_S)
        with capture_logs() as logs:
            for call in (store.get, store.trace, store.list_sounds, store.forget):
                with pytest.raises(QueueFull):
                    call("AAAAAAAAAAAA")
            result_id = store.put(RESULT)
        assert {log.get("reason") for log in logs} <= {"status 404", "no answer", None}
        assert not store.is_lasting(result_id)


def test_a_sound_whose_store_goes_down_says_come_back(
    bucket: AgingBucket, store: ObjectResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_id = store.put(RESULT, {"vocals": bytes(3_000_000)})
    sound = store.open_sound(result_id, "vocals")
    assert len(sound.file.read(1000)) == 1000

    def fail(*arguments: Any, **more: Any) -> None:
        raise obstore.exceptions.GenericError("no answer")

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(obstore, "get_range", fail)
        with pytest.raises(QueueFull):
            sound.file.read()


def test_a_sound_is_not_held_in_memory(
    bucket: AgingBucket, store: ObjectResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_id = store.put(RESULT, {"vocals": bytes(5_000_000)})
    lengths: list[int] = []
    read_range = bucket.read_range

    def read(path: str, start: int, length: int) -> bytes:
        lengths.append(length)
        return read_range(path, start, length)

    monkeypatch.setattr(bucket, "read_range", read)
    with store.open_sound(result_id, "vocals").file as file:
        while file.read(65_536):
            pass
    assert max(lengths) <= 2**20
    assert sum(lengths) < 1.1 * 5_000_000


@pytest.mark.parametrize("url", ["", "bucket", "ftp://host/path", "s3://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Bucket(url)
