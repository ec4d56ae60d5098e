"""The key: scales, relative keys, and input without notes or chords."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from inference_service.harmony.chord_prior import load_chord_prior
from inference_service.harmony.key import KeyProfileEstimator, load_estimator
from inference_service.music.events import ChordSegment, Key, NoteEvent
from inference_service.music.pitch import build_key

WEIGHTS = Path(__file__).parents[3] / "model_zoo" / "weights"
PRIOR = WEIGHTS / "melody.safetensors"
ESTIMATOR = load_estimator(PRIOR, WEIGHTS / "chords.safetensors")

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0)
MINOR = (0, 2, 3, 5, 7, 8, 10, 12, 11, 12, 7, 3, 0)


def sing(degrees: tuple[int, ...], tonic: int) -> list[NoteEvent]:
    return [NoteEvent(k * 0.5, k * 0.5 + 0.5, 60 + tonic + d) for k, d in enumerate(degrees)]


def strum(*labels: str) -> list[ChordSegment]:
    return [ChordSegment(2.0 * k, 2.0 * k + 2.0, label) for k, label in enumerate(labels)]


def estimate(notes: Sequence[NoteEvent], chords: Sequence[ChordSegment] = ()) -> Key:
    return ESTIMATOR.estimate(notes, chords)[0].key


@pytest.mark.parametrize("tonic", range(12))
def test_scales_have_their_keys(tonic: int) -> None:
    assert estimate(sing(MAJOR, tonic)) == build_key(tonic, "major")
    assert estimate(sing(MINOR, tonic)) == build_key(tonic, "minor")


def test_chords_alone_suffice() -> None:
    assert estimate([], strum("D", "G", "A:7", "D/3", "N")) == Key("D", "major")
    assert estimate([], strum("E:min", "A:min", "B:7", "E:min")) == Key("E", "minor")


def test_rest_on_the_tonic_tells_relatives_apart() -> None:
    scale = sing((0, 2, 4, 5, 7, 9, 11), 0)
    in_minor = estimate(scale, strum("A:min", "A:min", "D:min", "A:min", "E:min"))
    in_major = estimate(scale, strum("C", "C", "F", "C", "G"))
    assert (in_minor, in_major) == (Key("A", "minor"), Key("C", "major"))


@pytest.mark.parametrize("chords", [[], strum("N"), strum("X", "N"), strum("C:nonsense")])
def test_with_nothing_to_go_by_it_is_c_major(chords: list[ChordSegment]) -> None:
    assert estimate([], chords) == Key("C", "major")


def test_all_pitches_alike_are_c_major() -> None:
    chromatic = sing(tuple(range(12)), 0)
    assert KeyProfileEstimator().estimate(chromatic, [])[0].key == Key("C", "major")


def test_spells_as_readers_expect() -> None:
    assert estimate(sing(MAJOR, 10)).tonic == "Bb"
    assert estimate(sing(MINOR, 1)).tonic == "C#"


def test_probabilities_rank_all_keys_and_sum_to_one() -> None:
    estimates = ESTIMATOR.estimate(sing(MAJOR, 7), strum("G", "C", "D:7", "G"))
    probabilities = [estimate.probability for estimate in estimates]
    assert len({estimate.key for estimate in estimates}) == 24
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0)


def test_a_scale_is_surer_than_its_first_notes() -> None:
    whole, begun = (
        ESTIMATOR.estimate(notes, [])[0].probability
        for notes in (sing(MAJOR, 0), sing(MAJOR[:2], 0))
    )
    assert whole > 2 * begun


def test_without_evidence_all_keys_are_equally_probable() -> None:
    estimates = ESTIMATOR.estimate([], [])
    assert all(estimate.probability == pytest.approx(1 / 24) for estimate in estimates)


def test_steps_decide_where_the_notes_of_a_melody_do_not() -> None:
    # A phrase on G, A, B and C that circles around C: by duration, its profile is that of G major.
    phrase = [
        NoteEvent(float(k), k + 1.0, p)
        for k, p in enumerate((67, 67, 69, 67, 72, 71, 67, 67, 69, 67, 74, 72))
    ]
    by_profile = KeyProfileEstimator().estimate(phrase, [])
    by_steps = ESTIMATOR.estimate(phrase, [])
    assert by_profile[0].key == Key("G", "major")
    assert by_steps[0].key == Key("C", "major")


def test_chords_and_harmony_are_judged_without_steps() -> None:
    chords = load_chord_prior(WEIGHTS / "chords.safetensors")
    with_steps, without = ESTIMATOR, KeyProfileEstimator(None, chords)
    together = [NoteEvent(0.0, 2.0, pitch) for pitch in (60, 64, 67)]
    for notes, segments in ((sing(MAJOR, 0), strum("C", "G", "C")), (together, [])):
        assert with_steps.estimate(notes, segments) == without.estimate(notes, segments)


def test_minor_songs_differ_from_their_relatives_by_what_follows() -> None:
    """The same four chords for the same time, in the usual order of either key."""
    assert estimate([], strum("A:min", "F", "G", "A:min", "E:min", "A:min")) == Key("A", "minor")
    assert estimate([], strum("C", "A:min", "F", "G", "C", "G", "C")) == Key("C", "major")


def test_a_moment_of_a_chord_decides_less_than_the_whole() -> None:
    passing = [ChordSegment(0.0, 1.0, "E:maj"), ChordSegment(1.0, 30.0, "N")]
    whole = [ChordSegment(0.0, 30.0, "E:maj")]
    passing_e, whole_e = (
        next(e.probability for e in ESTIMATOR.estimate([], chords) if e.key == Key("E", "major"))
        for chords in (passing, whole)
    )
    assert passing_e < whole_e
