"""The cache of results on disk."""

from __future__ import annotations

import errno
import gzip
import os
import random
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from inference_service.engine.cache import ResultCache
from inference_service.engine.corrected import Lineage
from inference_service.engine.results import MAX_CORRECTED, CachedResult
from inference_service.errors import QueueFull, ResultExpired, SoundUnavailable
from inference_service.music.corrections import Corrections
from inference_service.music.edits import SetPitch, Spelling
from inference_service.music.events import Key
from tests.service.running import build_transcription

DAY_S = 86_400.0
RESULT = CachedResult(build_transcription(), "Песня")


def build_cache(directory: Path, entries: int = 10, size: int = 10**6) -> ResultCache:
    return ResultCache(directory, entries, size, DAY_S)


def test_a_result_comes_back_as_it_was_also_from_a_new_cache(tmp_path: Path) -> None:
    result_id = build_cache(tmp_path).put(RESULT)
    assert build_cache(tmp_path).get(result_id) == RESULT


def test_ids_are_short_and_never_the_same(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=100)
    ids = {cache.put(RESULT) for _ in range(50)}
    assert len(ids) == 50
    assert {len(result_id) for result_id in ids} == {12}


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=2)
    first, second = cache.put(RESULT), cache.put(RESULT)
    age(tmp_path, first, 20)
    age(tmp_path, second, 10)
    cache.get(first)
    third = cache.put(RESULT)
    assert cache.get(first) == cache.get(third) == RESULT
    with pytest.raises(ResultExpired):
        cache.get(second)


def age(directory: Path, result_id: str, by_s: float) -> None:
    then_s = time.time() - by_s
    os.utime(directory / f"{result_id}.json.gz", (then_s, then_s))


def test_bytes_are_bounded(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, size=1)
    first = cache.put(RESULT)
    assert cache.get(first) == RESULT
    age(tmp_path, first, 10)
    second = cache.put(RESULT)
    assert cache.get(second) == RESULT
    assert [path.name for path in tmp_path.iterdir()] == [f"{second}.json.gz"]


def test_age_counts_from_the_last_use(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    used, unused = cache.put(RESULT), cache.put(RESULT)
    age(tmp_path, used, 0.9 * DAY_S)
    cache.get(used)
    age(tmp_path, unused, 1.1 * DAY_S)
    assert cache.get(used) == RESULT
    with pytest.raises(ResultExpired):
        cache.get(unused)
    assert len(list(tmp_path.iterdir())) == 1


VALID = gzip.compress(b"{}")


@pytest.mark.parametrize(
    "damage",
    [b"", b"not gzip", VALID, VALID[:-6], gzip.compress(b'{"title": 1}'), gzip.compress(b"\xff")],
    ids=["empty", "not gzip", "no result", "cut", "another object", "not text"],
)
def test_a_damaged_file_counts_as_expired_and_goes(tmp_path: Path, damage: bytes) -> None:
    cache = build_cache(tmp_path)
    result_id = cache.put(RESULT)
    path = tmp_path / f"{result_id}.json.gz"
    path.write_bytes(damage)
    with pytest.raises(ResultExpired):
        cache.get(result_id)
    assert not path.exists()


def test_a_file_that_unpacks_to_too_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_service.engine.results.MAX_JSON_BYTES", 100)
    cache = build_cache(tmp_path)
    with pytest.raises(ResultExpired):
        cache.get(cache.put(RESULT))


@pytest.mark.parametrize(
    "result_id",
    ["", "x", "../secret.txt", "/etc/passwd", "AAAAAAAAAAA.", "AAAAAAAAAAAA\n", "ААААААААААAA"],
)
def test_no_id_leads_out_of_the_folder(tmp_path: Path, result_id: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(ResultExpired):
        build_cache(tmp_path / "results").get(result_id)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "AAAAAAAAAAAA.tmp").write_bytes(b"half")
    build_cache(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_the_owners(tmp_path: Path) -> None:
    build_cache(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0


STEMS = {"vocals": b"v" * 1000, "accompaniment": b"a" * 2000}


def test_stems_come_back(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    first, second = cache.put(RESULT, STEMS), cache.put(RESULT)
    assert cache.get_sounds(first) == STEMS
    assert cache.get_sounds(second) == {}
    assert cache.get_sounds("../../etc/pa") == {}
    assert cache.get(first) == RESULT


def test_stems_have_what_results_leave(tmp_path: Path) -> None:
    result_bytes = _size_of_a_result(tmp_path / "one")
    cache = build_cache(tmp_path / "many", size=4 * result_bytes + 4500)
    first, second = cache.put(RESULT, STEMS), cache.put(RESULT, STEMS)
    assert cache.get_sounds(second) == STEMS
    assert cache.get_sounds(first) == {}, "all or none"
    assert cache.get(first) == RESULT, "small, and worth more"


def test_stems_go_with_their_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=1)
    first = cache.put(RESULT, STEMS)
    cache.put(RESULT)
    assert cache.get_sounds(first) == {}
    assert len(list(tmp_path.iterdir())) == 1


def test_stems_go_with_a_result_that_is_found_too_old(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    first = cache.put(RESULT, STEMS)
    age(tmp_path, first, DAY_S + 1)
    with pytest.raises(ResultExpired):
        cache.get(first)
    assert not list(tmp_path.iterdir())


def test_stems_of_any_name(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    stems = {"../../Other 2": b"x", "Лира": b""}
    assert cache.get_sounds(cache.put(RESULT, stems)) == stems
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x05\x06"])
def test_stems_that_cannot_be_read_are_gone(tmp_path: Path, data: bytes) -> None:
    cache = build_cache(tmp_path)
    first = cache.put(RESULT, STEMS)
    path = tmp_path / f"{first}.stems.zip"
    path.write_bytes(data)
    assert cache.list_sounds(first) == ()
    assert not path.exists()
    assert cache.get_sounds(first) == {}
    with pytest.raises(SoundUnavailable):
        cache.open_sound(first, "vocals")
    assert cache.get(first) == RESULT


def test_a_sound_is_read_piece_by_piece(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    first = cache.put(RESULT, STEMS)
    waltz = cache.put_corrected(first, Corrections(time_signature="3/4"))
    assert cache.list_sounds(waltz) == ("vocals", "accompaniment")
    sound = cache.open_sound(waltz, "accompaniment")
    with sound.file:
        assert sound.size_bytes == 2000
        assert sound.file.read(1500) == b"a" * 1500
        for path in tmp_path.iterdir():
            path.unlink()
        assert sound.file.read(1500) == b"a" * 500, "whoever reads it reads to the end"


def test_a_sound_of_no_result_has_expired(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    for result_id in ("AAAAAAAAAAAA", "../../etc/pa", ""):
        with pytest.raises(ResultExpired):
            cache.open_sound(result_id, "vocals")


def test_a_result_in_memory_has_no_sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = build_cache(tmp_path)
    monkeypatch.setattr(ResultCache, "_write", refuse)
    first = cache.put(RESULT, STEMS)
    assert cache.list_sounds(first) == ()
    with pytest.raises(SoundUnavailable):
        cache.open_sound(first, "vocals")


def test_playing_a_sound_is_a_use_of_it(tmp_path: Path) -> None:
    result_bytes = _size_of_a_result(tmp_path / "one")
    cache = build_cache(tmp_path / "many", size=4 * result_bytes + 7500)
    first, second = cache.put(RESULT, STEMS), cache.put(RESULT, STEMS)
    cache.open_sound(first, "vocals").file.close()
    cache.put(RESULT, STEMS)
    assert cache.list_sounds(first)
    assert not cache.list_sounds(second)


def _size_of_a_result(folder: Path) -> int:
    build_cache(folder).put(RESULT)
    (path,) = folder.iterdir()
    return path.stat().st_size


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with capture_logs():
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write nothing into files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with capture_logs():
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_result_that_cannot_be_opened_just_now_stays(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    result_id = cache.put(RESULT, STEMS)
    with no_descriptors():
        with pytest.raises(QueueFull) as caught:
            cache.get(result_id)
        with pytest.raises(QueueFull):
            cache.get_sounds(result_id)
    assert caught.value.params == {"retry_after_s": 10.0}
    assert cache.get(result_id) == RESULT
    assert cache.get_sounds(result_id) == STEMS


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_result_that_cannot_be_read_just_now_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    cache = build_cache(tmp_path)
    result_id = cache.put(RESULT)

    def fail(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("inference_service.engine.cache._read", fail)
        with pytest.raises(QueueFull):
            cache.get(result_id)
    assert cache.get(result_id) == RESULT


def test_a_folder_that_is_gone_may_come_back(tmp_path: Path) -> None:
    cache = build_cache(tmp_path / "results")
    result_id = cache.put(RESULT)
    (tmp_path / "results").rename(tmp_path / "unmounted")
    with pytest.raises(QueueFull):
        cache.get(result_id)
    (tmp_path / "unmounted").rename(tmp_path / "results")
    assert cache.get(result_id) == RESULT


def test_a_full_disk_leaves_results_in_memory_and_no_files(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    with full_disk():
        result_id = cache.put(RESULT, STEMS)
    assert list(tmp_path.iterdir()) == []
    assert cache.get(result_id) == RESULT
    assert cache.get_sounds(result_id) == {}
    assert not cache.is_lasting(result_id)
    assert cache.is_lasting(cache.put(RESULT))
    with pytest.raises(ResultExpired):
        build_cache(tmp_path).get(result_id)


def test_a_folder_that_cannot_be_made_leaves_results_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = build_cache(tmp_path / "file" / "results")
    assert cache.get(cache.put(RESULT)) == RESULT


def test_results_in_memory_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_service.engine.unstored.MAX_RESULTS", 2)
    cache = build_cache(tmp_path)
    with full_disk():
        first, second = cache.put(RESULT), cache.put(RESULT)
        assert cache.get(first) == RESULT
        third = cache.put(RESULT)
    assert cache.get(first) == cache.get(third) == RESULT
    with pytest.raises(ResultExpired):
        cache.get(second)


def test_on_a_disk_made_read_only_results_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = build_cache(tmp_path)
    result_id = cache.put(RESULT, STEMS)

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    assert cache.get(result_id) == RESULT
    assert cache.get_sounds(result_id) == STEMS


@pytest.mark.parametrize("jump_s", [-10_000 * DAY_S, -DAY_S, 2 * DAY_S, 10_000 * DAY_S])
def test_a_clock_that_jumps_evicts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    cache = build_cache(tmp_path)
    before = cache.put(RESULT)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + jump_s)
    meanwhile = cache.put(RESULT)
    assert cache.get(before) == cache.get(meanwhile) == RESULT
    restarted = build_cache(tmp_path)
    after = restarted.put(RESULT)
    assert [restarted.get(one) for one in (before, meanwhile, after)] == [RESULT] * 3


def test_the_order_of_use_survives_a_clock_that_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (build_cache(tmp_path).put(RESULT) for _ in range(2))
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() - 10_000 * DAY_S)
    cache = build_cache(tmp_path, entries=2)
    third = cache.put(RESULT)
    assert cache.get(third) == cache.get(second) == RESULT
    with pytest.raises(ResultExpired):
        cache.get(first)


WALTZ = Corrections(time_signature="3/4")
MINOR = Corrections(time_signature="3/4", key=Key("D", "minor"))


def test_a_corrected_result_is_a_result_also_from_a_new_cache(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    root = cache.put(RESULT)
    waltz = cache.put_corrected(root, WALTZ)
    minor = cache.put_corrected(waltz, MINOR)
    assert len({root, waltz, minor}) == 3
    assert {len(result_id) for result_id in (root, waltz, minor)} == {12}
    for again in (cache, build_cache(tmp_path)):
        assert again.get(minor).transcription.corrections == MINOR
        assert again.get(minor).title == RESULT.title
        assert again.get(root) == RESULT
        assert again.trace(minor) == Lineage(root, waltz)
        assert again.trace(waltz) == Lineage(root, root)
        assert again.trace(root) == Lineage(root)
        assert again.is_lasting(minor)


def test_the_same_correction_has_the_same_id(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    root, other = cache.put(RESULT), cache.put(RESULT)
    assert cache.put_corrected(root, WALTZ) == cache.put_corrected(root, WALTZ)
    assert cache.put_corrected(root, WALTZ) != cache.put_corrected(root, MINOR)
    assert cache.put_corrected(root, WALTZ) != cache.put_corrected(other, WALTZ)


def test_hundreds_of_edits_are_kept_in_a_few_kilobytes(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    generator = random.Random(0)
    edits = tuple(
        SetPitch(f"vocals:{generator.randrange(300)}", generator.randrange(48, 84), Spelling.RAISED)
        for _ in range(500)
    )
    edited = cache.put_corrected(cache.put(RESULT), Corrections(edits=edits))
    (path,) = tmp_path.glob("*.corrected")
    assert path.stat().st_size < 10_000
    assert build_cache(tmp_path).get(edited).transcription.corrections.edits == edits


def test_a_correction_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    waltz = cache.put_corrected(cache.put(RESULT), WALTZ)
    (path,) = tmp_path.glob("*.corrected")
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert cache.get(waltz).transcription.corrections == WALTZ


def test_no_corrections_are_the_uncorrected_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    root = cache.put(RESULT)
    waltz = cache.put_corrected(root, WALTZ)
    assert cache.put_corrected(waltz, Corrections()) == root


def test_corrections_have_the_stems_of_their_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    waltz = cache.put_corrected(cache.put(RESULT, STEMS), WALTZ)
    assert cache.get_sounds(waltz) == STEMS


def test_using_a_correction_is_a_use_of_its_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=2)
    first, second = cache.put(RESULT), cache.put(RESULT)
    waltz = cache.put_corrected(first, WALTZ)
    age(tmp_path, first, 20)
    age(tmp_path, second, 10)
    cache.get(waltz)
    cache.put(RESULT)
    assert cache.get(waltz).transcription.corrections == WALTZ
    with pytest.raises(ResultExpired):
        cache.get(second)


def test_corrections_go_with_their_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=1)
    first = cache.put(RESULT)
    waltz = cache.put_corrected(first, WALTZ)
    age(tmp_path, first, 10)
    second = cache.put(RESULT)
    assert [path.name for path in tmp_path.iterdir()] == [f"{second}.json.gz"]
    for gone in (first, waltz):
        with pytest.raises(ResultExpired):
            cache.get(gone)


@pytest.mark.parametrize("named", ["result", "correction"])
def test_forgetting_leaves_nothing_of_a_result_and_all_of_others(
    tmp_path: Path, named: str
) -> None:
    cache = build_cache(tmp_path)
    ids = {"result": cache.put(RESULT, {"recording": b"r"})}
    ids["correction"] = cache.put_corrected(ids["result"], Corrections(beat_scale=Fraction(2)))
    other = cache.put(RESULT, {"recording": b"o"})
    for result_id in (ids[named], ids[named], "AAAAAAAAAAAA", "../../etc/pa", ""):
        cache.forget(result_id)
    for result_id in ids.values():
        with pytest.raises(ResultExpired):
            cache.get(result_id)
    assert cache.get(other) == RESULT
    assert all(other in path.name for path in tmp_path.iterdir())
    assert cache.list_sounds(other) == ("recording",)


def test_forgetting_reaches_results_in_memory(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    with full_disk():
        first, second = cache.put(RESULT), cache.put(RESULT)
        corrected = cache.put_corrected(first, Corrections(beat_scale=Fraction(2)))
    cache.forget(first)
    for result_id in (first, corrected):
        with pytest.raises(ResultExpired):
            cache.get(result_id)
    assert cache.get(second) == RESULT


def test_corrections_expire_with_their_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    root = cache.put(RESULT)
    waltz = cache.put_corrected(root, WALTZ)
    age(tmp_path, root, 1.1 * DAY_S)
    with pytest.raises(ResultExpired):
        cache.get(waltz)
    assert list(tmp_path.iterdir()) == []


def test_the_corrections_of_a_result_are_bounded(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    root, other = cache.put(RESULT), cache.put(RESULT)
    kept = cache.put_corrected(other, WALTZ)
    ids = [
        cache.put_corrected(root, Corrections(first_beat=Fraction(number)))
        for number in range(1, MAX_CORRECTED + 4)
    ]
    assert len(list(tmp_path.iterdir())) == 2 + 1 + MAX_CORRECTED
    assert cache.get(ids[-1]).transcription.corrections.first_beat == MAX_CORRECTED + 3
    assert cache.get(kept).transcription.corrections == WALTZ
    with pytest.raises(ResultExpired):
        cache.get(ids[0])


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"\xff", b"x" * 300_000, b'{"root_id": "../../../etc", "previous_id": ""}'],
    ids=["empty", "no entry", "not text", "large", "another id"],
)
def test_a_damaged_correction_counts_as_expired_and_goes(tmp_path: Path, damage: bytes) -> None:
    cache = build_cache(tmp_path)
    root = cache.put(RESULT)
    waltz = cache.put_corrected(root, WALTZ)
    (path,) = tmp_path.glob("*.corrected")
    path.write_bytes(damage)
    with pytest.raises(ResultExpired):
        cache.get(waltz)
    assert not path.exists()
    assert cache.get(root) == RESULT


def test_a_damaged_value_of_a_correction_counts_as_damage(tmp_path: Path) -> None:
    cache = build_cache(tmp_path)
    waltz = cache.put_corrected(cache.put(RESULT), WALTZ)
    (path,) = tmp_path.glob("*.corrected")
    path.write_bytes(gzip.decompress(path.read_bytes()).replace(b"3/4", b"0/0"))
    with pytest.raises(ResultExpired):
        cache.get(waltz)


def test_a_correction_that_the_disk_does_not_take_is_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = build_cache(tmp_path)
    root = cache.put(RESULT)

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ResultCache, "_write", refuse)
    waltz = cache.put_corrected(root, WALTZ)
    unkept = cache.put(RESULT)
    minor = cache.put_corrected(unkept, MINOR)
    assert cache.get(waltz).transcription.corrections == WALTZ
    assert cache.get(minor).transcription.corrections == MINOR
    assert [cache.is_lasting(each) for each in (root, waltz, unkept, minor)] == [
        True,
        False,
        False,
        False,
    ]


KEY = "0123456789abcdef" * 4


def test_results_of_one_recording_share_the_room_of_their_sounds(tmp_path: Path) -> None:
    result_bytes = _size_of_a_result(tmp_path / "one")
    cache = build_cache(tmp_path / "many", size=6 * result_bytes + 4500)
    first = cache.put(RESULT, STEMS, KEY)
    ids = [first, *(cache.put_again(first, RESULT, KEY) for _ in range(2))]
    assert len({path.stat().st_ino for path in (tmp_path / "many").glob("*.zip")}) == 1
    for result_id in ids:
        assert cache.get_sounds(result_id) == STEMS


def test_without_hard_links_sounds_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    cache = build_cache(tmp_path)
    first = cache.put(RESULT, STEMS, KEY)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    second = cache.put_again(first, RESULT, KEY)
    cache.forget(first)
    assert cache.get_sounds(second) == STEMS


def test_keys_go_with_their_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=1)
    first = cache.put(RESULT, STEMS, KEY)
    second = cache.put(RESULT)
    assert [path.name for path in tmp_path.iterdir()] == [f"{second}.json.gz"]
    assert cache.find_heard(KEY) is None
    with pytest.raises(ResultExpired):
        cache.get(first)


def test_being_found_is_no_use(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=2)
    first = cache.put(RESULT, key=KEY)
    second = cache.put(RESULT)
    age(tmp_path, first, 20)
    age(tmp_path, second, 10)
    assert cache.find_heard(KEY) is not None
    cache.put(RESULT)
    with pytest.raises(ResultExpired):
        cache.get(first)
