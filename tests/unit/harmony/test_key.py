"""The key: scales, relative keys, and input without notes or chords."""

from __future__ import annotations

import pytest

from inference_service.harmony.key import KeyProfileEstimator
from inference_service.music.events import ChordSegment, Key, NoteEvent
from inference_service.music.pitch import build_key

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0)
MINOR = (0, 2, 3, 5, 7, 8, 10, 12, 11, 12, 7, 3, 0)


def sing(degrees: tuple[int, ...], tonic: int) -> list[NoteEvent]:
    return [NoteEvent(k * 0.5, k * 0.5 + 0.5, 60 + tonic + d) for k, d in enumerate(degrees)]


def strum(*labels: str) -> list[ChordSegment]:
    return [ChordSegment(2.0 * k, 2.0 * k + 2.0, label) for k, label in enumerate(labels)]


@pytest.mark.parametrize("tonic", range(12))
def test_scales_have_their_keys(tonic: int) -> None:
    estimator = KeyProfileEstimator()
    assert estimator.estimate(sing(MAJOR, tonic), []) == build_key(tonic, "major")
    assert estimator.estimate(sing(MINOR, tonic), []) == build_key(tonic, "minor")


def test_chords_alone_suffice() -> None:
    estimator = KeyProfileEstimator()
    assert estimator.estimate([], strum("D", "G", "A:7", "D/3", "N")) == Key("D", "major")
    assert estimator.estimate([], strum("E:min", "A:min", "B:7", "E:min")) == Key("E", "minor")


def test_rest_on_the_tonic_tells_relatives_apart() -> None:
    scale = sing((0, 2, 4, 5, 7, 9, 11), 0)
    estimator = KeyProfileEstimator()
    in_minor = estimator.estimate(scale, strum("A:min", "A:min", "D:min", "A:min", "E:min"))
    in_major = estimator.estimate(scale, strum("C", "C", "F", "C", "G"))
    assert (in_minor, in_major) == (Key("A", "minor"), Key("C", "major"))


@pytest.mark.parametrize("chords", [[], strum("N"), strum("X", "N"), strum("C:nonsense")])
def test_with_nothing_to_go_by_it_is_c_major(chords: list[ChordSegment]) -> None:
    assert KeyProfileEstimator().estimate([], chords) == Key("C", "major")


def test_all_pitches_alike_are_c_major() -> None:
    chromatic = sing(tuple(range(12)), 0)
    assert KeyProfileEstimator().estimate(chromatic, []) == Key("C", "major")


def test_spells_as_readers_expect() -> None:
    assert KeyProfileEstimator().estimate(sing(MAJOR, 10), []).tonic == "Bb"
    assert KeyProfileEstimator().estimate(sing(MINOR, 1), []).tonic == "C#"
