"""What every store of results does: the folder, and a bucket in memory and on an S3 server."""

from __future__ import annotations

import gzip
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from inference_service.engine.bucket import Bucket
from inference_service.engine.cache import ResultCache
from inference_service.engine.corrected import Lineage
from inference_service.engine.object_results import ObjectResults
from inference_service.engine.results import CachedResult, Heard, ResultStore
from inference_service.errors import ResultExpired, SoundUnavailable
from inference_service.music.corrections import Corrections
from inference_service.music.edits import SetPitch, Spelling
from inference_service.music.events import Key
from tests.s3 import BUCKET, run_s3
from tests.service.running import build_transcription

DAY_S = 86_400.0
RESULT = CachedResult(build_transcription(), "Песня")
OTHER = replace(RESULT, title="Another title")
SOUNDS = {"recording": b"r" * 1500, "vocals": b"v" * 1000, "accompaniment": b"a" * 2000}
WALTZ = Corrections(time_signature="3/4")
MINOR = Corrections(time_signature="3/4", key=Key("D", "minor"))
KEY = "0123456789abcdef" * 4


@dataclass
class Place:
    """Where results are kept, and how a service opens it."""

    open: Callable[[], ResultStore]
    list: Callable[[], list[str]]
    """Returns the names of all files or objects."""
    overwrite: Callable[[str, bytes], None]
    """Replaces the only "result", "sounds" or "correction"."""


def in_folder(folder: Path) -> Place:
    patterns = {"result": "*.json.gz", "sounds": "*.stems.zip", "correction": "*.corrected"}

    def overwrite(part: str, data: bytes) -> None:
        (path,) = folder.glob(patterns[part])
        path.write_bytes(data)

    return Place(
        lambda: ResultCache(folder, 100, 10**8, DAY_S),
        lambda: [path.name for path in folder.iterdir()],
        overwrite,
    )


def in_bucket(bucket: Bucket) -> Place:
    endings = {"result": "/result.json.gz", "sounds": "/sounds.zip"}

    def list_all() -> list[str]:
        folders = ("results", "corrected", "heard")
        return [each.path for folder in folders for each in bucket.list(folder)]

    def overwrite(part: str, data: bytes) -> None:
        (path,) = (
            path
            for path in list_all()
            if (path.endswith(endings[part]) if part in endings else path.startswith("corrected/"))
        )
        bucket.write(path, data)

    return Place(lambda: ObjectResults(bucket, DAY_S), list_all, overwrite)


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with run_s3() as environment:
        yield environment


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return in_folder(tmp_path)
    if request.param == "memory":
        return in_bucket(Bucket("memory:///"))
    for name, value in request.getfixturevalue("s3").items():
        monkeypatch.setenv(name, value)
    return in_bucket(Bucket(f"s3://{BUCKET}/{secrets.token_hex(8)}"))


@pytest.fixture
def store(place: Place) -> ResultStore:
    return place.open()


def test_a_result_comes_back_as_it_was_also_from_another_service(place: Place) -> None:
    result_id = place.open().put(RESULT)
    assert place.open().get(result_id) == RESULT
    assert place.open().is_lasting(result_id)


def test_ids_are_short_and_never_the_same(store: ResultStore) -> None:
    ids = {store.put(RESULT) for _ in range(20)}
    assert len(ids) == 20
    assert {len(result_id) for result_id in ids} == {12}


VALID = gzip.compress(b"{}")


@pytest.mark.parametrize(
    "damage",
    [b"", b"not gzip", VALID, VALID[:-6], gzip.compress(b'{"title": 1}'), gzip.compress(b"\xff")],
    ids=["empty", "not gzip", "no result", "cut", "another object", "not text"],
)
def test_a_damaged_result_counts_as_expired_and_goes(place: Place, damage: bytes) -> None:
    store = place.open()
    result_id = store.put(RESULT)
    place.overwrite("result", damage)
    with pytest.raises(ResultExpired):
        store.get(result_id)
    assert place.list() == []


def test_a_result_that_unpacks_to_too_much_is_not_read(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    result_id = store.put(RESULT)
    monkeypatch.setattr("inference_service.engine.results.MAX_JSON_BYTES", 100)
    with pytest.raises(ResultExpired):
        store.get(result_id)


@pytest.mark.parametrize(
    "result_id",
    ["", "x", "../secret.txt", "/etc/passwd", "AAAAAAAAAAA.", "AAAAAAAAAAAA\n", "ААААААААААAA"],
)
def test_what_is_no_id_names_nothing(store: ResultStore, result_id: str) -> None:
    with pytest.raises(ResultExpired):
        store.get(result_id)
    with pytest.raises(ResultExpired):
        store.open_sound(result_id, "vocals")
    assert store.get_sounds(result_id) == {}
    assert store.list_sounds(result_id) == ()
    store.forget(result_id)


def test_an_unknown_result_has_expired(store: ResultStore) -> None:
    with pytest.raises(ResultExpired):
        store.get("AAAAAAAAAAAA")
    with pytest.raises(ResultExpired):
        store.open_sound("AAAAAAAAAAAA", "vocals")


def test_sounds_come_back(store: ResultStore) -> None:
    first, second = store.put(RESULT, SOUNDS), store.put(RESULT)
    assert store.get_sounds(first) == SOUNDS
    assert store.list_sounds(first) == tuple(SOUNDS)
    assert store.get_sounds(second) == {}
    assert store.get(first) == RESULT


def test_sounds_of_any_name(store: ResultStore) -> None:
    sounds = {"../../Other 2": b"x", "Лира": b""}
    assert store.get_sounds(store.put(RESULT, sounds)) == sounds


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x05\x06"])
def test_sounds_that_cannot_be_read_are_gone(place: Place, data: bytes) -> None:
    store = place.open()
    first = store.put(RESULT, SOUNDS)
    place.overwrite("sounds", data)
    assert store.list_sounds(first) == ()
    assert store.get_sounds(first) == {}
    with pytest.raises(SoundUnavailable):
        store.open_sound(first, "vocals")
    assert store.get(first) == RESULT
    assert not any("sounds" in name or "stems" in name for name in place.list())


def test_a_sound_is_read_piece_by_piece(store: ResultStore) -> None:
    first = store.put(RESULT, {"vocals": b"v" * 100, "accompaniment": bytes(range(250)) * 10_000})
    waltz = store.put_corrected(first, WALTZ)
    assert store.list_sounds(waltz) == ("vocals", "accompaniment")
    sound = store.open_sound(waltz, "accompaniment")
    assert sound.size_bytes == 2_500_000
    with closing(sound.file):
        pieces = list(iter(partial(sound.file.read, 65_536), b""))
    assert max(map(len, pieces)) == 65_536
    assert b"".join(pieces) == bytes(range(250)) * 10_000
    with pytest.raises(SoundUnavailable):
        store.open_sound(waltz, "drums")


def test_a_large_archive_comes_back(store: ResultStore) -> None:
    sounds = {"recording": random.Random(0).randbytes(12_000_000)}
    assert store.get_sounds(store.put(RESULT, sounds)) == sounds


def test_a_corrected_result_is_a_result_also_for_another_service(place: Place) -> None:
    store = place.open()
    root = store.put(RESULT, SOUNDS)
    waltz = store.put_corrected(root, WALTZ)
    minor = store.put_corrected(waltz, MINOR)
    assert len({root, waltz, minor}) == 3
    assert {len(result_id) for result_id in (root, waltz, minor)} == {12}
    for again in (store, place.open()):
        assert again.get(minor).transcription.corrections == MINOR
        assert again.get(minor).title == RESULT.title
        assert again.get(root) == RESULT
        assert again.trace(minor) == Lineage(root, waltz)
        assert again.trace(waltz) == Lineage(root, root)
        assert again.trace(root) == Lineage(root)
        assert again.is_lasting(minor)
        assert again.get_sounds(waltz) == SOUNDS


def test_the_same_correction_has_the_same_id(store: ResultStore) -> None:
    root, other = store.put(RESULT), store.put(RESULT)
    assert store.put_corrected(root, WALTZ) == store.put_corrected(root, WALTZ)
    assert store.put_corrected(root, WALTZ) != store.put_corrected(root, MINOR)
    assert store.put_corrected(root, WALTZ) != store.put_corrected(other, WALTZ)


def test_hundreds_of_edits_come_back(place: Place) -> None:
    generator = random.Random(0)
    edits = tuple(
        SetPitch(f"vocals:{generator.randrange(300)}", generator.randrange(48, 84), Spelling.RAISED)
        for _ in range(500)
    )
    store = place.open()
    edited = store.put_corrected(store.put(RESULT), Corrections(edits=edits))
    assert place.open().get(edited).transcription.corrections.edits == edits


def test_no_corrections_are_the_uncorrected_result(store: ResultStore) -> None:
    root = store.put(RESULT)
    assert store.put_corrected(store.put_corrected(root, WALTZ), Corrections()) == root


@pytest.mark.parametrize("named", ["result", "correction"])
def test_forgetting_leaves_nothing_of_a_result_and_all_of_others(place: Place, named: str) -> None:
    store = place.open()
    ids = {"result": store.put(RESULT, SOUNDS, KEY)}
    ids["correction"] = store.put_corrected(ids["result"], WALTZ)
    further = store.put_corrected(ids["correction"], MINOR)
    other = store.put(RESULT, {"recording": b"o"})
    for result_id in (ids[named], ids[named], "AAAAAAAAAAAA", "../../etc/pa", ""):
        store.forget(result_id)
    for service in (store, place.open()):
        for result_id in (*ids.values(), further):
            with pytest.raises(ResultExpired):
                service.get(result_id)
        assert service.get(other) == RESULT
        assert service.list_sounds(other) == ("recording",)
        assert service.find_heard(KEY) is None
    assert all(other in name for name in place.list())


def test_a_correction_of_a_result_that_is_gone_leaves_nothing(place: Place) -> None:
    store = place.open()
    root = store.put(RESULT)
    waltz = store.put_corrected(root, WALTZ)
    store.forget(root)
    with pytest.raises(ResultExpired):
        store.get(store.put_corrected(waltz, MINOR))
    with pytest.raises(ResultExpired):
        store.get(waltz)


def test_the_corrections_of_a_result_are_bounded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cache", "object_results"):
        monkeypatch.setattr(f"inference_service.engine.{module}.MAX_CORRECTED", 5)
    store = place.open()
    root, other = store.put(RESULT), store.put(RESULT)
    kept = store.put_corrected(other, WALTZ)
    ids = [
        store.put_corrected(root, Corrections(first_beat=Fraction(number)))
        for number in range(1, 9)
    ]
    assert store.get(ids[-1]).transcription.corrections.first_beat == 8
    gone = 0
    for result_id in ids:
        try:
            store.get(result_id)
        except ResultExpired:
            gone += 1
    assert gone == 3
    assert store.get(kept).transcription.corrections == WALTZ


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"\xff", b"x" * 300_000, b'{"root_id": "../../../etc", "previous_id": ""}'],
    ids=["empty", "no entry", "not text", "large", "another id"],
)
def test_a_damaged_correction_counts_as_expired_and_goes(place: Place, damage: bytes) -> None:
    store = place.open()
    root = store.put(RESULT)
    waltz = store.put_corrected(root, WALTZ)
    place.overwrite("correction", damage)
    with pytest.raises(ResultExpired):
        store.get(waltz)
    with pytest.raises(ResultExpired):
        store.get(waltz)
    assert store.get(root) == RESULT


def test_what_was_heard_is_found_by_its_key_and_given_to_others(place: Place) -> None:
    store = place.open()
    first = store.put(RESULT, SOUNDS, KEY)
    assert store.find_heard("f" * 64) is None
    assert store.find_heard(KEY) == Heard(first, RESULT.transcription)
    second = place.open().put_again(first, OTHER, KEY)
    assert second != first
    assert store.get(second) == OTHER
    assert store.get_sounds(second) == SOUNDS


def test_forgetting_one_of_two_results_of_a_recording_leaves_the_other(place: Place) -> None:
    store = place.open()
    first = store.put(RESULT, SOUNDS, KEY)
    second = store.put_again(first, OTHER, KEY)
    store.put_corrected(first, WALTZ)
    store.forget(first)
    assert store.find_heard(KEY) == Heard(second, RESULT.transcription)
    assert store.get(second) == OTHER
    assert store.get_sounds(second) == SOUNDS
    assert not any(first in name for name in place.list())
    third = store.put_again(second, RESULT, KEY)
    store.forget(second)
    assert store.get_sounds(third) == SOUNDS
    store.forget(third)
    assert place.list() == []


def test_sounds_that_are_gone_are_not_given_to_others(store: ResultStore) -> None:
    first = store.put(RESULT, key=KEY)
    second = store.put_again(first, OTHER, KEY)
    assert store.get(second) == OTHER
    assert store.list_sounds(second) == ()
    assert store.is_lasting(second)


def test_corrections_are_their_authors(store: ResultStore) -> None:
    waltz = store.put_corrected(store.put(RESULT, SOUNDS, KEY), WALTZ)
    heard = store.find_heard(KEY)
    assert heard is not None
    assert not heard.transcription.corrections
    second = store.put_again(heard.result_id, OTHER, KEY)
    assert store.get(second) == OTHER
    assert store.get(waltz).title == RESULT.title
