"""The cache of results on disk."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from inference_service.engine.cache import CachedResult, ResultCache
from inference_service.errors import ResultExpired
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
    monkeypatch.setattr("inference_service.engine.cache._MAX_JSON_BYTES", 100)
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
    assert cache.get_stems(first) == STEMS
    assert cache.get_stems(second) == {}
    assert cache.get_stems("../../etc/pa") == {}
    assert cache.get(first) == RESULT


def test_stems_have_what_results_leave(tmp_path: Path) -> None:
    result_bytes = _size_of_a_result(tmp_path / "one")
    cache = build_cache(tmp_path / "many", size=4 * result_bytes + 4500)
    first, second = cache.put(RESULT, STEMS), cache.put(RESULT, STEMS)
    assert cache.get_stems(second) == STEMS
    assert cache.get_stems(first) == {}, "all or none"
    assert cache.get(first) == RESULT, "small, and worth more"


def test_stems_go_with_their_result(tmp_path: Path) -> None:
    cache = build_cache(tmp_path, entries=1)
    first = cache.put(RESULT, STEMS)
    cache.put(RESULT)
    assert cache.get_stems(first) == {}
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
    assert cache.get_stems(cache.put(RESULT, stems)) == stems
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x05\x06"])
def test_stems_that_cannot_be_read_are_gone(tmp_path: Path, data: bytes) -> None:
    cache = build_cache(tmp_path)
    first = cache.put(RESULT, STEMS)
    path = tmp_path / f"{first}.stems.zip"
    path.write_bytes(data)
    assert cache.get_stems(first) == {}
    assert not path.exists()
    assert cache.get(first) == RESULT


def _size_of_a_result(folder: Path) -> int:
    build_cache(folder).put(RESULT)
    (path,) = folder.iterdir()
    return path.stat().st_size
