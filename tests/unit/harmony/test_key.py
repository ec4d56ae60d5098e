"""The key: scales, relative keys, and input without notes or chords."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from inference_service.harmony.key import KeyProfileEstimator
from inference_service.harmony.melodic_prior import load_prior
from inference_service.music.events import ChordSegment, Key, NoteEvent
from inference_service.music.pitch import build_key

PRIOR = Path(__file__).parents[3] / "model_zoo" / "weights" / "melody.safetensors"

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0)
MINOR = (0, 2, 3, 5, 7, 8, 10, 12, 11, 12, 7, 3, 0)


def sing(degrees: tuple[int, ...], tonic: int) -> list[NoteEvent]:
    return [NoteEvent(k * 0.5, k * 0.5 + 0.5, 60 + tonic + d) for k, d in enumerate(degrees)]


def strum(*labels: str) -> list[ChordSegment]:
    return [ChordSegment(2.0 * k, 2.0 * k + 2.0, label) for k, label in enumerate(labels)]


def estimate(notes: Sequence[NoteEvent], chords: Sequence[ChordSegment] = ()) -> Key:
    return KeyProfileEstimator().estimate(notes, chords)[0].key


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
    assert estimate(chromatic) == Key("C", "major")


def test_spells_as_readers_expect() -> None:
    assert estimate(sing(MAJOR, 10)).tonic == "Bb"
    assert estimate(sing(MINOR, 1)).tonic == "C#"


def test_probabilities_rank_all_keys_and_sum_to_one() -> None:
    estimates = KeyProfileEstimator().estimate(sing(MAJOR, 7), strum("G", "C", "D:7", "G"))
    probabilities = [estimate.probability for estimate in estimates]
    assert len({estimate.key for estimate in estimates}) == 24
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0)


def test_a_scale_is_surer_than_its_first_notes() -> None:
    whole, begun = (
        KeyProfileEstimator().estimate(notes, [])[0].probability
        for notes in (sing(MAJOR, 0), sing(MAJOR[:2], 0))
    )
    assert whole > 2 * begun


def test_without_evidence_all_keys_are_equally_probable() -> None:
    estimates = KeyProfileEstimator().estimate([], [])
    assert all(estimate.probability == pytest.approx(1 / 24) for estimate in estimates)


def test_steps_decide_where_the_notes_of_a_melody_do_not() -> None:
    # A phrase on G, A, B and C that circles around C: by duration, its profile is that of G major.
    phrase = [
        NoteEvent(float(k), k + 1.0, p)
        for k, p in enumerate((67, 67, 69, 67, 72, 71, 67, 67, 69, 67, 74, 72))
    ]
    by_profile = KeyProfileEstimator().estimate(phrase, [])
    by_steps = KeyProfileEstimator(load_prior(PRIOR)).estimate(phrase, [])
    assert by_profile[0].key == Key("G", "major")
    assert by_steps[0].key == Key("C", "major")


def test_chords_and_harmony_are_judged_without_steps() -> None:
    with_steps, without = KeyProfileEstimator(load_prior(PRIOR)), KeyProfileEstimator()
    chords = strum("C", "G", "C")
    together = [NoteEvent(0.0, 2.0, pitch) for pitch in (60, 64, 67)]
    for notes, segments in ((sing(MAJOR, 0), chords), (together, [])):
        assert with_steps.estimate(notes, segments) == without.estimate(notes, segments)
