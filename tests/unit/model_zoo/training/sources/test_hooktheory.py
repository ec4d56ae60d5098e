"""Hooktheory's clips in the format of the dataset."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from inference_service.music.events import Key
from model_zoo.training.sources.harte import name_chord
from model_zoo.training.sources.hooktheory import list_hooktheory, read_clip


def build_clip(**changes: Any) -> dict[str, Any]:
    annotations = {
        "num_beats": 8,
        "meters": [{"beat": 0, "beats_per_bar": 4, "beat_unit": 4}],
        "keys": [{"beat": 0, "tonic_pitch_class": 2, "scale_degree_intervals": [2, 1, 2, 2, 2, 1]}],
        "melody": [
            {"onset": 1, "offset": 2.5, "octave": 1, "pitch_class": 2},
            {"onset": 0, "offset": 1, "octave": -1, "pitch_class": 9},
        ],
        "harmony": [
            {"onset": 0, "offset": 4, "root_pitch_class": 2, "root_position_intervals": [3, 4],
             "inversion": 0},
            {"onset": 4, "offset": 8, "root_pitch_class": 7, "root_position_intervals": [4, 3, 3],
             "inversion": 1},
        ],
    }  # fmt: skip
    alignment = {
        "swing": "STRAIGHT",
        "user": {"beats": [0, 8], "times": [10.0, 14.0]},
        "refined": {"beats": list(range(8)), "times": [9.0 + 0.6 * k for k in range(8)]},
    }
    return {
        "tags": ["MELODY", "HARMONY"],
        "split": "TRAIN",
        "hooktheory": {"id": "x", "artist": "nobody", "song": "the-plague"},
        "alignment": alignment,
        "annotations": {**annotations, **changes},
    }


def test_times_are_the_refined_ones() -> None:
    piece = read_clip("x", build_clip())
    assert piece.beats_s == pytest.approx([9.0 + 0.6 * k for k in range(9)])
    assert piece.lines[0].notes.ravel() == pytest.approx([9.0, 9.6, 57, 90, 9.6, 10.5, 74, 90])
    assert piece.positions.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1]
    assert piece.deadpan


def test_the_users_times_where_there_are_no_refined_ones() -> None:
    clip = build_clip()
    del clip["alignment"]["refined"]
    assert read_clip("x", clip).beats_s == pytest.approx([10.0 + 0.5 * k for k in range(9)])
    clip["alignment"] = None
    assert read_clip("x", clip).beats_s == pytest.approx([0.5 * k for k in range(9)])


def test_chords_and_key() -> None:
    piece = read_clip("x", build_clip())
    assert [chord.label for chord in piece.chords] == ["D:min", "G:7/3"]
    assert (piece.chords[1].start_s, piece.chords[1].end_s) == pytest.approx((11.4, 13.8))
    assert piece.key == Key("D", "minor")  # the clip is in D Dorian


def test_the_metre_changes() -> None:
    meters = [{"beat": 0, "beats_per_bar": 3}, {"beat": 3, "beats_per_bar": 2}]
    piece = read_clip("x", build_clip(meters=meters))
    assert piece.positions.tolist() == [1, 2, 3, 1, 2, 1, 2, 1, 2]


def test_licence_and_work() -> None:
    piece = read_clip("x", build_clip())
    assert not piece.origin.licence.allows_weights
    assert piece.origin.work == "plague"


@pytest.mark.parametrize(
    "changes", [{"melody": []}, {"melody": None}, {"meters": []}, {"harmony": [{"onset": 0}]}]
)
def test_a_clip_with_a_missing_field_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="x: "):
        read_clip("x", build_clip(**changes))


def test_times_that_do_not_increase_are_refused() -> None:
    clip = build_clip()
    clip["alignment"]["refined"]["times"][3] = 9.0
    with pytest.raises(ValueError, match="not increasing"):
        read_clip("x", clip)


@pytest.mark.parametrize("name", ["Hooktheory.json", "Hooktheory.json.gz"])
def test_the_datasets_test_split_is_not_listed(tmp_path: Path, name: str) -> None:
    clips = {"a": build_clip(), "b": {**build_clip(), "split": "TEST"}}
    data = json.dumps(clips).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert [entry.read().name for entry in list_hooktheory(tmp_path / name)] == ["hooktheory-a"]


def test_another_json_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="no object"):
        list(list_hooktheory(tmp_path / "list.json"))


@pytest.mark.parametrize(
    ("root", "tones", "bass", "label"),
    [
        (0, [0, 4, 7], 0, "C:maj"),
        (6, [0, 3, 6, 10], 0, "F#:hdim7"),
        (10, [4, 7, 10], 10, "Bb:7/b7"),
        (9, [0, 3, 7], 3, "A:min/b3"),
        (0, [0, 7], 0, "C:(1,5)"),
        (2, [0, 4, 7, 14], 0, "D:(1,3,5,9)"),
        (7, [0, 4, 7, 10, 14], 0, "G:9"),
    ],
)
def test_labels(root: int, tones: list[int], bass: int, label: str) -> None:
    assert name_chord(root, tones, bass) == label
