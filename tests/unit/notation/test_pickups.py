"""Pickups of any length, and last bars that complete them, in every view and format."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from xml.etree import ElementTree

import mido
import pytest

from inference_service.midi.writer import TICKS_PER_QUARTER, encode_score
from inference_service.music.events import Beat, Key, NoteEvent, Part, Transcription
from inference_service.music.metre import COMMON_TIME, TimeSignature
from inference_service.music.score import Bar, Score, transpose_score
from inference_service.notation.arrange import arrange
from inference_service.notation.bars import complete_pickup, pickup_length
from inference_service.notation.engrave import engrave
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.musicxml_reader import decode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from tests.factories import perform

HALF = Fraction(1, 2)
STAVES = [view for view in View if view is not View.CHORDS]


def sing(pickup: Fraction, beats: int, signature: str = "4/4") -> Score:
    """Return a sung line with a pickup, then as many quarter notes as ``beats``."""
    lead = 0.5  # the silence before the first beat
    onsets = [-float(pickup), *range(beats)]
    notes = tuple(
        NoteEvent(lead + (onset + 4) / 2, lead + (stop + 4) / 2 - 0.02, 60 + k % 5)
        for k, (onset, stop) in enumerate(zip(onsets, [*onsets[1:], beats], strict=True))
    )
    count = TimeSignature(*map(int, signature.split("/"))).beats
    first = (-4) % count  # position of the first beat, such that a downbeat is at beat 4
    timeline = tuple(Beat(lead + k / 2, (first + k) % count + 1) for k in range(beats + 12))
    performance = perform({}, bpm=120)
    return quantize(
        replace(
            performance,
            parts=(Part("vocals", "Vocals", notes, 52),),
            beats=timeline,
            time_signature=signature,
        ),
        "",
    )


def measures(musicxml: bytes) -> list[ElementTree.Element]:
    return ElementTree.fromstring(musicxml).findall("part/measure")


def lengths_q(musicxml: bytes) -> list[Fraction]:
    """Return the length of each measure in quarters."""
    divisions, found = Fraction(1), []
    for measure in measures(musicxml):
        divisions = Fraction(measure.findtext("attributes/divisions") or divisions)
        notes = [n for n in measure.findall("note") if n.find("chord") is None]
        found.append(sum((Fraction(n.findtext("duration") or 0) for n in notes), Fraction(0)))
    return [length / divisions for length in found]


@pytest.mark.parametrize("pickup", [Fraction(1, 4), HALF, Fraction(1), Fraction(3, 2), Fraction(2)])
@pytest.mark.parametrize("view", STAVES)
def test_the_first_measure_is_the_pickup_and_the_last_completes_it(
    pickup: Fraction, view: View
) -> None:
    score = sing(pickup, 6)
    assert score.pickup_beats == pickup
    for semitones in (0, 3):
        arranged = arrange(transpose_score(score, semitones), view)
        musicxml = encode_musicxml(replace(arranged, parts=(replace(arranged.parts[0], staves=1),)))
        first, *_, last = measures(musicxml)
        assert (first.get("implicit"), first.get("number")) == ("yes", "0")
        assert last.get("number") == "2"
        assert lengths_q(musicxml) == [pickup, 4, 4 - pickup]
        assert not first.findall("note/rest")
        assert engrave(musicxml)


def test_a_last_bar_in_which_music_goes_on_stays_whole() -> None:
    musicxml = encode_musicxml(arrange(sing(Fraction(1), 8), View.MELODY))
    assert lengths_q(musicxml) == [1, 4, 4]


def test_without_a_pickup_the_last_bar_is_whole() -> None:
    score = quantize(perform({"vocals": [(k, 1, 60 + k) for k in range(6)]}), "")
    assert lengths_q(encode_musicxml(arrange(score, View.MELODY))) == [4, 4]


def test_a_pickup_in_the_midst_of_a_triplet_begins_with_its_beat() -> None:
    assert [pickup_length(Fraction(-k, 3)) for k in (1, 2, 4)] == [1, 1, 2]
    assert [pickup_length(Fraction(-k, 4)) for k in (1, 3, 6)] == [
        Fraction(1, 4), Fraction(3, 4), Fraction(3, 2),
    ]  # fmt: skip


def test_a_change_of_metre_leaves_the_last_bar_whole() -> None:
    three = TimeSignature(3, 4)
    bars = [
        Bar(0, Fraction(-1), Fraction(1), COMMON_TIME),
        Bar(1, Fraction(0), Fraction(4), COMMON_TIME),
        Bar(2, Fraction(4), Fraction(3), three),
    ]
    assert complete_pickup(bars, Fraction(5)) == bars
    assert complete_pickup(bars[:2], Fraction(2)) == bars[:2]


@pytest.mark.parametrize("pickup", [HALF, Fraction(1), Fraction(5, 4)])
def test_a_page_with_a_pickup_is_read_as_it_was(pickup: Fraction) -> None:
    score = arrange(sing(pickup, 6), View.MELODY)
    again = decode_musicxml(encode_musicxml(score))
    assert again.pickup_beats == pickup
    assert again.time_changes == ()
    assert [(n.start_beats, n.duration_beats, n.pitch) for n in again.parts[0].notes] == [
        (n.start_beats, n.duration_beats, n.pitch) for n in score.parts[0].notes
    ]


@pytest.mark.parametrize("pickup", [HALF, Fraction(1)])
def test_bars_of_midi_hold_whole_beats(pickup: Fraction) -> None:
    midi = mido.MidiFile(file=BytesIO(encode_score(arrange(sing(pickup, 6), View.MELODY))))
    ticks, signatures = 0, []
    for message in midi.tracks[0]:
        ticks += message.time
        if message.type == "time_signature":
            signatures.append((ticks, message.numerator))
    assert signatures == [(0, 1), (TICKS_PER_QUARTER, 4)]
    begins = next(m.time for m in midi.tracks[1] if m.type == "note_on")
    assert begins == (1 - pickup) * TICKS_PER_QUARTER


def test_an_eighth_before_a_jig_is_an_eighth() -> None:
    eighth_s = 0.2
    pitches = [67, 67, 69, 71, 72, 71, 69, 67, 69, 71, 74]
    notes = tuple(
        NoteEvent(1.0 + k * eighth_s, 1.18 + k * eighth_s, pitch) for k, pitch in enumerate(pitches)
    )
    beats = tuple(Beat(k * eighth_s, k % 6 + 1) for k in range(24))
    performance = Transcription(
        5.0, 0.0, 300.0, "6/8", Key("G", "major"), (Part("vocals", "V", notes, 52),), beats, ()
    )
    musicxml = encode_musicxml(arrange(quantize(performance, ""), View.MELODY))
    assert lengths_q(musicxml) == [HALF, 3, Fraction(5, 2)]
