"""Views of a score."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from xml.etree import ElementTree

import mido
import pytest

from inference_service.midi.writer import encode_score
from inference_service.music.score import Score, ScoreMark, ScoreNote
from inference_service.notation.arrange import arrange
from inference_service.notation.hands import part_hands
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from tests.factories import perform

CHORDS = [(0.0, 4.0, "C:maj"), (4.0, 12.0, "F:maj")]


def song() -> Score:
    """Return vocals that enter in the second bar, over a piano and drums."""
    vocals = [(4 + k, 1, 60 + k) for k in range(4)]
    piano = [(k, 1, pitch) for k in range(8) for pitch in (40, 47, 64, 67)]
    drums = [(k / 2, 0.1, 42) for k in range(16)]
    return quantize(perform({"vocals": vocals, "piano": piano, "drums": drums}, chords=CHORDS), "")


def test_full_shows_every_part_and_two_hands() -> None:
    full = arrange(song(), View.FULL)
    assert [(p.id, p.staves) for p in full.parts] == [("vocals", 1), ("piano", 2), ("drums", 1)]
    piano = full.parts[1].notes
    assert {n.pitch for n in piano if n.staff == 1} == {64, 67}
    assert {n.pitch for n in piano if n.staff == 2} == {40, 47}
    assert full.chords


def test_a_keyboard_part_that_stays_high_has_one_staff() -> None:
    flute_like = quantize(perform({"keys": [(k, 1, 72 + k) for k in range(4)]}), "")
    assert arrange(flute_like, View.FULL).parts[0].staves == 1


def test_melody_is_what_is_sung_from_its_first_bar_without_chords() -> None:
    melody = arrange(song(), View.MELODY)
    assert [p.id for p in melody.parts] == ["vocals"]
    assert [n.pitch for n in melody.parts[0].notes] == [60, 61, 62, 63]
    assert melody.parts[0].notes[0].start_beats == 0
    assert melody.chords == ()


def test_a_lead_sheet_keeps_the_introduction_and_the_chords() -> None:
    sheet = arrange(song(), View.LEAD_SHEET)
    assert sheet.parts[0].notes[0].start_beats == 4
    assert [c.label for c in sheet.chords] == ["C:maj", "F:maj"]


def test_without_a_singer_the_melody_is_the_top_line() -> None:
    notes = [(k, 1, pitch) for k in range(4) for pitch in (48, 64, 72 + k)]
    melody = arrange(quantize(perform({"piano": notes}), ""), View.MELODY)
    assert [n.pitch for n in melody.parts[0].notes] == [72, 73, 74, 75]


def test_the_piano_plays_everything_pitched_with_the_melody_on_top() -> None:
    piano = arrange(song(), View.PIANO)
    (part,) = piano.parts
    assert part.staves == 2
    melody = [n for n in part.notes if n.pitch in (60, 61, 62, 63)]
    assert [(n.start_beats, n.staff) for n in melody] == [(4 + k, 1) for k in range(4)]
    assert {n.pitch for n in part.notes if n.start_beats < 4} == {40, 47, 64, 67}
    for note in melody:
        sounding = [n for n in part.notes if n.start_beats == note.start_beats]
        assert max(n.pitch for n in sounding) == note.pitch
        assert {n.pitch % 12 for n in sounding} >= {40 % 12, 47 % 12, 67 % 12}


def test_a_melody_with_a_pickup_keeps_it() -> None:
    score = quantize(perform({"vocals": [(k, 1, 60) for k in range(5)]}, pickup_beats=1), "")
    for view in View:
        assert arrange(score, view).pickup_beats == 1


def test_a_pickup_in_which_the_melody_rests_is_left_out() -> None:
    score = quantize(perform({"vocals": [(2, 1, 60)], "piano": [(0, 3, 48)]}, pickup_beats=2), "")
    assert score.pickup_beats == 2
    assert arrange(score, View.MELODY).pickup_beats == 0


def test_metre_changes_follow_the_melody_that_begins_later() -> None:
    score = song()
    changed = arrange(score, View.MELODY)
    assert changed.bars()[0].signature == score.signature


def test_marks_follow_the_melody_that_begins_later() -> None:
    marks = (ScoreMark(Fraction(0), "Intro"), ScoreMark(Fraction(4), "A"))
    arranged = {view: arrange(replace(song(), marks=marks), view).marks for view in View}
    assert arranged[View.FULL] == arranged[View.LEAD_SHEET] == marks
    assert arranged[View.MELODY] == (ScoreMark(Fraction(0), "A"),)


@pytest.mark.parametrize("view", list(View))
def test_nothing_but_drums_or_nothing_at_all_still_arranges(view: View) -> None:
    performances: list[dict[str, list[tuple[float, float, int]]]]
    performances = [{}, {"vocals": []}, {"drums": [(0.0, 1.0, 36)]}]
    for parts in performances:
        arranged = arrange(quantize(perform(parts), ""), view)
        assert arranged.bars()
        assert arranged.parts


def test_the_split_moves_with_the_hands() -> None:
    low = [(k, 1, pitch) for k in range(4) for pitch in (36, 43, 52, 55)]
    high = [(k, 1, pitch) for k in range(8, 12) for pitch in (64, 67, 76, 84)]
    notes = quantize(perform({"piano": low + high}), "").parts[0].notes
    hands = part_hands(notes)
    left = {n.pitch for n in hands if n.staff == 2}
    right = {n.pitch for n in hands if n.staff == 1}
    assert left & right == set()
    assert {36, 43} <= left
    assert {76, 84} <= right
    for start in {n.start_beats for n in hands}:
        for staff in (1, 2):
            hand = [n.pitch for n in hands if n.staff == staff and n.start_beats == start]
            assert not hand or max(hand) - min(hand) <= 20


def test_no_notes_have_no_hands() -> None:
    assert part_hands([]) == []
    assert Fraction(0) == arrange(quantize(perform({}), ""), View.PIANO).stop_beats


def test_a_full_score_is_in_order_without_empty_staves() -> None:
    parts = {"drums": [(0, 1, 36), (0, 1, 42)], "bass": [(0, 1, 40)], "piano": [(0, 1, 72)],
             "silent": [], "vocals": [(0, 1, 67)]}  # fmt: skip
    full = arrange(quantize(perform(parts), ""), View.FULL)
    assert [p.id for p in full.parts] == ["vocals", "piano", "bass", "drums"]
    assert {n.pitch: n.voice for n in full.parts[-1].notes} == {42: 1, 36: 2}


def test_grace_notes_go_with_their_note_into_its_hand_and_voice() -> None:
    score = quantize(perform({"piano": [(0, 4, 40), (0, 1, 76), (1, 1, 74)]}), "")
    small = ScoreNote(Fraction(1), Fraction(0), 75, grace=1)
    part = replace(score.parts[0], notes=tuple(sorted([*score.parts[0].notes, small])))
    full = arrange(replace(score, parts=(part,)), View.FULL)
    (grace,) = [n for n in full.parts[0].notes if n.grace]
    assert grace.staff == 1
    line = arrange(replace(score, parts=(part,)), View.MELODY).parts[0].notes
    assert [n.pitch for n in line] == [76, 75, 74]


def test_a_lift_of_the_key_reaches_every_view() -> None:
    chords = ((48, 64, 67), (53, 65, 69), (55, 62, 71), (48, 64, 67))
    notes = [
        (4 * bar + beat, 1, pitch + (1 if bar >= 16 else 0))
        for bar in range(32)
        for beat, chord in enumerate(chords)
        for pitch in chord
    ]
    score = quantize(perform({"piano": notes}), "")
    for view in (View.FULL, View.PIANO, View.LEAD_SHEET, View.MELODY):
        (change,) = arrange(score, view).key_changes
        assert change.start_beats == 64
        assert change.key.tonic == "Db"


def test_two_tracks_of_a_piano_are_its_hands_even_where_they_cross() -> None:
    right = [(k, 1, 72) for k in range(7)] + [(7, 1, 45)]
    left = [(k, 1, 48) for k in range(7)] + [(7, 1, 60)]
    score = quantize(perform({"first": left, "second": right}), "")
    for view in (View.FULL, View.PIANO):
        (part,) = arrange(score, view).parts
        assert (part.name, part.staves) == ("Piano", 2)
        assert {n.pitch for n in part.notes if n.staff == 1} == {72, 45}
        assert {n.pitch for n in part.notes if n.staff == 2} == {48, 60}


def test_a_melody_and_a_piano_are_no_pair_of_hands() -> None:
    score = quantize(perform({"melody": [(0, 1, 72)], "piano": [(0, 1, 48)]}), "")
    assert len(arrange(score, View.FULL).parts) == 2


@pytest.mark.parametrize(("pitches", "staves"), [((36, 43, 48), 1), ((72, 76), 1), ((40, 79), 2)])
def test_a_part_of_no_known_instrument_has_the_staves_that_it_needs(
    pitches: tuple[int, ...], staves: int
) -> None:
    score = quantize(perform({"track": [(0, 4, pitch) for pitch in pitches]}), "")
    unknown = replace(score, parts=(replace(score.parts[0], program=None),))
    assert arrange(unknown, View.FULL).parts[0].staves == staves


@pytest.mark.parametrize("program", [24, 27, 30])
@pytest.mark.parametrize("view", [View.FULL, View.MELODY, View.LEAD_SHEET])
def test_a_guitar_has_one_staff_an_octave_higher_than_it_sounds(program: int, view: View) -> None:
    strings = [(k, 1, pitch) for k in range(8) for pitch in (40, 47, 52, 64 + k % 3)]
    performance = perform({"guitar": strings})
    guitar = replace(performance.parts[0], program=program)
    score = arrange(quantize(replace(performance, parts=(guitar,)), ""), view)
    (part,) = score.parts
    assert part.staves == 1
    root = ElementTree.fromstring(encode_musicxml(score))
    clefs = [
        (clef.findtext("sign"), clef.findtext("line"), clef.findtext("clef-octave-change"))
        for clef in root.iter("clef")
    ]
    assert clefs == [("G", "2", "-1")]
    assert root.find(".//transpose") is None
    octaves = {(p.findtext("step"), p.findtext("octave")) for p in root.iter("pitch")}
    assert ("E", "4") in octaves
    sounding = {m.note for t in mido.MidiFile(file=BytesIO(encode_score(score))).tracks
                for m in t if m.type == "note_on"}  # fmt: skip
    assert {64, 65, 66} <= sounding
    assert (40 in sounding) is (view is View.FULL)
