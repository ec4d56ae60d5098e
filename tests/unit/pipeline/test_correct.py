"""Corrections of what was heard, as far as its pages."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any
from xml.etree import ElementTree

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_service.errors import InvalidCorrections
from inference_service.music.bar_moves import BarMove
from inference_service.music.corrections import (
    BarRange,
    Clef,
    Corrections,
    Edit,
    Feel,
    FinestValue,
    PartCorrection,
    Triplets,
)
from inference_service.music.events import (
    Alternative,
    Beat,
    Key,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.music.score import Score
from inference_service.notation.quantize import write_performance
from inference_service.notation.views import View
from inference_service.pipeline.correct import correct
from inference_service.pipeline.options import Format, Pitches, RenderOptions
from inference_service.pipeline.render import Rendering, describe, render
from inference_service.progress import Stage
from tests.factories import perform, place, sing_flat

TUNE = [(0, 1, 67), (1, 1, 69), (2, 0.5, 71), (2.5, 0.5, 72), (3, 1, 74)]


def play(bars: int = 8, **options: Any) -> Transcription:
    """A tune over chords and drums."""
    vocals = [
        (4 * bar + start, length, pitch) for bar in range(bars) for start, length, pitch in TUNE
    ]
    piano = [(4 * bar, 4, pitch) for bar in range(bars) for pitch in (43, 62)]
    drums = [(beat, 0.25, 36 + 2 * (beat % 2)) for beat in range(4 * bars)]
    labels = ["G:maj", "C:maj", "D:7", "G:maj"]
    chords = [(4 * bar, 4 * bar + 4, labels[bar % 4]) for bar in range(bars)]
    parts: dict[str, Sequence[tuple[float, float, int]]]
    parts = {"vocals": vocals, "piano": piano, "drums": drums}
    return place(perform(parts, key=Key("G", "major"), chords=chords, **options))


def amend(heard: Transcription, **fields: Any) -> Transcription:
    corrections = Edit(Corrections(**fields)).apply(heard.corrections)
    return replace(heard, corrections=corrections)


def write(heard: Transcription, **fields: Any) -> Score:
    corrected = correct(amend(heard, **fields))
    return write_performance(corrected.performance, "", corrected.chord_step_beats).score


def quiet(stage: Stage, fraction: float) -> None:
    """Ignore progress."""


def make(heard: Transcription, edit: Edit, *formats: Format, **options: Any) -> Rendering:
    wanted = RenderOptions(formats=frozenset(formats), title="T", edit=edit, **options)
    return render(heard, wanted, quiet)


def bar_lengths(score: Score) -> list[int]:
    return [int(bar.length_beats) for bar in score.bars()]


def starts(score: Score, part: int = 0) -> list[Fraction]:
    return sorted(note.start_beats for note in score.parts[part].notes)


# As heard


def test_nothing_changes_without_corrections() -> None:
    heard = play()
    assert correct(heard).performance == heard


@pytest.mark.parametrize(
    "fields",
    [
        {"time_signature": "4/4"},
        {"beat_scale": Fraction(1)},
        {"first_beat": Fraction(1)},
        {"first_beat": Fraction(5)},
        {"feel": Feel.STRAIGHT},
        {"triplets": Triplets.ALLOWED},
        {"finest_value": FinestValue.EIGHTH},
        {"parts": (PartCorrection("vocals", left_out=False, name="Vocals", program=52),)},
        {"bars": BarRange(1, 8)},
    ],
)
def test_what_was_heard_is_no_change(fields: dict[str, Any]) -> None:
    heard = play()
    assert replace(write(heard, **fields), is_key_given=False) == write(heard)


def test_the_reading_of_the_page_is_its_first_alternative() -> None:
    heard = play(pickup_beats=1)
    shown = describe(heard, RenderOptions()).shown
    assert shown.first_beat == 2
    same = write(heard, time_signature="4/4", beat_scale=Fraction(1), first_beat=Fraction(2))
    assert same == write(heard)


def test_a_first_beat_out_of_time_does_not_make_another_reading() -> None:
    heard = play(pickup_beats=3)  # bar 1 begins with a rest, before the first beat
    late = replace(heard.beats[0], time_s=heard.beats[0].time_s + 0.05)
    heard = replace(heard, beats=(late, *heard.beats[1:]))
    assert describe(heard, RenderOptions()).shown.first_beat == 4


# Metre, values, bars


def test_another_metre_has_the_same_beats() -> None:
    score = write(play(), time_signature="3/4")
    assert score.time_signature == "3/4"
    assert set(bar_lengths(score)) == {3}
    assert starts(score) == starts(write(play()))


def test_a_pickup_stays_a_pickup() -> None:
    heard = play(pickup_beats=1)
    assert write(heard).pickup_beats == 1
    for fields in ({"time_signature": "3/4"}, {"key": Key("D", "minor")}, {"bars": BarRange(1, 2)}):
        assert write(heard, **fields).pickup_beats == 1
    assert write(heard, beat_scale=Fraction(2)).pickup_beats == 2


@pytest.mark.parametrize(("first", "pickup"), [(2, 1), (3, 2), (Fraction(3, 2), Fraction(1, 2))])
def test_bar_one_begins_later(first: Fraction | int, pickup: Fraction | int) -> None:
    score = write(play(), first_beat=Fraction(first))
    assert score.pickup_beats == pickup
    assert starts(score)[0] == -pickup
    shown = describe(amend(play(), first_beat=Fraction(first)), RenderOptions()).shown
    assert shown.first_beat == first


def test_a_pause_stays_where_only_the_bars_shift() -> None:
    heard = play()
    beats = [
        Beat(beat.time_s + 0.5 * (k >= 16), beat.position) for k, beat in enumerate(heard.beats)
    ]
    beats.insert(16, Beat(8.0, 5))
    later = tuple(
        replace(
            part,
            notes=tuple(
                replace(n, onset_s=n.onset_s + 0.5, offset_s=n.offset_s + 0.5)
                if n.onset_s >= 8
                else n
                for n in part.notes
            ),
        )
        for part in heard.parts
    )
    paused = place(replace(heard, beats=tuple(beats), parts=later))
    assert bar_lengths(write(paused)) == [4, 4, 4, 5, 4, 4, 4, 4]
    shifted = write(paused, first_beat=Fraction(2))
    assert bar_lengths(shifted) == [1, 4, 4, 4, 5, 4, 4, 4, 4][: len(bar_lengths(shifted))]
    halved = bar_lengths(write(paused, beat_scale=Fraction(1, 2)))
    assert sum(halved) == 17
    assert sorted(set(halved)) == [4, 5]


def test_values_are_doubled_with_the_tempo() -> None:
    score = write(play(), beat_scale=Fraction(2))
    assert score.tempo_bpm == pytest.approx(240)
    assert starts(score) == [2 * start for start in starts(write(play()))]
    assert len(score.bars()) == 16


def test_a_tempo_stands_for_the_nearest_scale() -> None:
    assert write(play(), tempo_bpm=1000.0).tempo_bpm == pytest.approx(960)
    assert write(play(), tempo_bpm=1000.0, time_signature="4/16").tempo_bpm < 1200
    assert write(play(), tempo_bpm=70.0).tempo_bpm == pytest.approx(60)
    assert write(play(), tempo_bpm=130.0) == write(play())
    assert write(play(), tempo_bpm=200.0, time_signature="12/8").pulse_bpm == pytest.approx(240)


def test_compound_metres_turn_quarters_into_dotted_ones() -> None:
    score = write(play(), time_signature="12/8")
    assert score.pulse_bpm == pytest.approx(120)
    assert starts(score)[:5] == [0, 3, 6, 8, 9]
    waltz = place(
        perform({"vocals": [(k, 1, 60 + k % 7) for k in range(24)]}, time_signature="3/4")
    )
    six = write(waltz, time_signature="6/8")
    assert starts(six)[:4] == [0, 2, 4, 6]
    assert len(six.bars()) == len(write(waltz).bars())


def test_another_metre_begins_where_its_alternative_does() -> None:
    other = Alternative("3/4", 1.0, 3.0, Key("G", "major"), 0.2)
    first = Alternative("4/4", 1.0, 1.0, Key("G", "major"), 0.7)
    heard = replace(play(), alternatives=(first, other))
    short = write(heard, time_signature="3/4")
    assert short == write(
        heard, time_signature="3/4", beat_scale=Fraction(1), first_beat=Fraction(3)
    )
    assert short.pickup_beats == 2 or starts(short)[0] == 1


def jig() -> Transcription:
    """Two bars of 6/8, whose beats were heard as dotted quarters."""
    notes = [(k, 1, 67 + k % 6) for k in range(12)]
    eighths = place(perform({"vocals": notes}, bpm=240, time_signature="6/8"))
    beats = tuple(Beat(0.75 * k, k % 2 + 1) for k in range(4))
    return replace(eighths, beats=beats, tempo_bpm=80.0)


def test_heard_beats_of_compound_metres_are_dotted() -> None:
    assert write(jig()).pulse_bpm == 80
    assert replace(write(jig(), first_beat=Fraction(1)), is_key_given=False) == write(jig())
    shown = describe(amend(jig(), first_beat=Fraction(4, 3)), RenderOptions()).shown
    assert shown.first_beat == Fraction(4, 3)
    assert write(jig(), first_beat=Fraction(4, 3)).pickup_beats == 1
    waltz = write(jig(), time_signature="3/4")
    assert (waltz.tempo_bpm, starts(waltz)[:3]) == (120, [0, Fraction(1, 2), 1])
    march = write(jig(), time_signature="2/4")
    assert (march.tempo_bpm, starts(march)[:4]) == (80, [0, Fraction(1, 3), Fraction(2, 3), 1])
    assert write(jig(), beat_scale=Fraction(2)).pulse_bpm == 160


# Bar lines moved from one of them on


def pause(at_beat: int = 11, beats: int = 1) -> Transcription:
    """A tune in 4/4, of which all from a beat on is sung some beats late."""
    notes = [(4 * bar + start, length, pitch) for bar in range(6) for start, length, pitch in TUNE]
    late = [(start + beats * (start > at_beat), length, pitch) for start, length, pitch in notes]
    return place(perform({"vocals": late}, key=Key("G", "major")))


def moves(from_beat: float | Fraction, beats: float | Fraction) -> dict[str, Any]:
    return {"bar_moves": (BarMove(Fraction(from_beat), Fraction(beats)),)}


def test_a_pause_is_taken_out_of_the_page() -> None:
    late, mended = write(pause()), write(pause(), **moves(13, 1))
    assert {*bar_lengths(late), *bar_lengths(mended)} == {4}
    assert starts(mended) == [4 * bar + start for bar in range(6) for start, _, _ in TUNE]
    longest = [note.duration_beats for note in mended.parts[0].notes if note.start_beats == 11]
    assert longest == [1]


def test_a_note_that_was_cut_short_is_made_longer() -> None:
    notes = [(0, 2, 67), (2, 2, 69), (4, 1, 71), (5, 2, 72), (7, 2, 74), (9, 2, 71), (11, 4, 67)]
    hurried = place(perform({"vocals": notes}))
    mended = write(hurried, **moves(9, -1))
    assert bar_lengths(mended) == [4] * 4
    assert starts(mended) == [0, 2, 4, 5, 8, 10, 12]
    assert [note.duration_beats for note in mended.parts[0].notes] == [2, 2, 1, 3, 2, 2, 4]


def test_a_bar_that_was_heard_as_longer_gets_its_length_back() -> None:
    heard = play()
    beats = tuple(
        Beat(beat.time_s, (k % 4 if k < 16 else (k - 17) % 4) + 1 if k != 16 else 5)
        for k, beat in enumerate(heard.beats)
    )
    odd = replace(heard, beats=beats)
    assert bar_lengths(write(odd))[:5] == [4, 4, 4, 5, 4]
    assert write(odd, **moves(18, -1)).bars() == write(heard).bars()
    assert starts(write(odd, **moves(18, -1))) == starts(write(heard))


def test_where_something_sounds_at_every_beat_the_bar_has_its_own_metre() -> None:
    score = write(play(), **moves(13, 1))
    assert bar_lengths(score) == [4, 4, 5, 4, 4, 4, 4, 4]
    assert starts(score) == starts(write(play()))
    assert score.chords == write(play()).chords


def test_bars_before_a_move_stay() -> None:
    heard, moved = play(), amend(play(), **moves(13, 1))
    before, after = (describe(music, RenderOptions()).shown for music in (heard, moved))
    downbeats = [[b.time_s for b in shown.beats if b.position == 1] for shown in (before, after)]
    assert downbeats[0][:3] == downbeats[1][:3]
    assert downbeats[0][3] + 0.5 == downbeats[1][3]
    assert after.first_beat == before.first_beat == 1


def test_a_move_means_the_nearest_line_of_the_page_without_moves() -> None:
    for from_beat in (12, 13, Fraction(29, 2)):
        assert bar_lengths(write(play(), **moves(from_beat, 1)))[:4] == [4, 4, 5, 4]
    waltz = {"time_signature": "3/4", "first_beat": Fraction(2), **moves(14, 1)}
    assert bar_lengths(write(play(), **waltz))[:6] == [1, 3, 3, 3, 4, 3]


def test_an_eighth_may_be_moved_over() -> None:
    notes = [(k, 1, 60 + k % 5) for k in range(7)] + [(k + 7.5, 1, 60 + k % 5) for k in range(8)]
    late = place(perform({"vocals": [*notes, (15.5, 2, 60)]}))
    score = write(late, **moves(9, 0.5))
    assert bar_lengths(score)[:3] == [4, 4, 4]
    assert [start.denominator for start in starts(score)] == [1] * 16


def test_beats_are_those_that_were_heard() -> None:
    moved = amend(jig(), **moves(3, Fraction(1, 3)))
    assert bar_lengths(correct_and_write(moved))[:2] == [7, 6]
    halved = write(play(), beat_scale=Fraction(1, 2), **moves(9, 2))
    assert bar_lengths(halved)[:2] == [5, 4]


def correct_and_write(heard: Transcription) -> Score:
    corrected = correct(heard)
    return write_performance(corrected.performance, "", corrected.chord_step_beats).score


def test_drums_follow_the_new_beats() -> None:
    drums = write(play(), beat_scale=Fraction(2)).parts[2]
    assert [note.start_beats for note in drums.notes][:4] == [0, 2, 4, 6]


# Values and feel


def test_no_note_is_finer_than_allowed() -> None:
    for part in write(play(), finest_value=FinestValue.QUARTER).parts:
        assert all(note.start_beats.denominator == 1 for note in part.notes)
        assert len(part.notes) >= 16
    fine = {"drums": [(k / 4, 0.2, 42) for k in range(32)]}
    (drums,) = write(perform(fine), finest_value=FinestValue.EIGHTH).parts
    assert {note.start_beats.denominator for note in drums.notes} == {1, 2}


def swung(bars: int = 4) -> Transcription:
    pairs = [(beat + late, 0.3, 60 + beat % 5) for beat in range(4 * bars) for late in (0, 2 / 3)]
    return place(perform({"vocals": pairs, "drums": [(s, 0.1, 42) for s, _, _ in pairs]}))


def test_swing_is_written_even() -> None:
    assert {start % 1 for start in starts(write(swung()))} == {0, Fraction(2, 3)}
    score = write(swung(), feel=Feel.SWING)
    assert score.swing
    for part in (0, 1):
        assert {start % 1 for start in starts(score, part)} == {0, Fraction(1, 2)}


def test_what_was_heard_as_swing_is_straight() -> None:
    even = place(perform({"piano": [(k / 2, 0.5, 60) for k in range(32)]}))
    heard = replace(even, swing=True)
    score = write(heard, feel=Feel.STRAIGHT)
    assert not score.swing
    assert starts(score) == starts(write(heard))
    triplets = write(heard, time_signature="12/8")
    assert not triplets.swing
    assert starts(triplets)[:4] == [0, 2, 3, 5]


def test_triplets_may_be_forbidden() -> None:
    score = write(swung(), triplets=Triplets.NOT_ALLOWED)
    for part in (0, 1):
        assert all(start.denominator in (1, 2, 4, 8) for start in starts(score, part))


# Key and parts


def modulate() -> Transcription:
    up = [0, 2, 4, 5, 7, 9, 11, 12]
    notes = [(k, 1, 60 + up[k % 8]) for k in range(64)]
    notes += [(64 + k, 1, 66 + up[k % 8]) for k in range(64)]
    return place(perform({"vocals": notes}))


def test_the_whole_page_is_in_the_key() -> None:
    heard = modulate()
    page = make(heard, Edit(), Format.MUSICXML).artifacts[0].data
    assert len(list(ElementTree.fromstring(page).iter("fifths"))) == 2
    edit = Edit(Corrections(key=Key("Eb", "major")))
    rendering = make(heard, edit, Format.MUSICXML)
    fifths = [
        node.text for node in ElementTree.fromstring(rendering.artifacts[0].data).iter("fifths")
    ]
    assert fifths == ["-3"]
    assert rendering.shown.key == Key("Eb", "major")
    assert rendering.shown.key_probability == 1


@pytest.mark.parametrize(
    ("fields", "beats"),
    [
        ({"beat_scale": Fraction(1, 2)}, Fraction(1, 2)),
        ({"beat_scale": Fraction(1, 3)}, Fraction(1, 3)),
        ({"beat_scale": Fraction(2)}, Fraction(2)),
        ({"time_signature": "6/8"}, Fraction(3)),
        ({"time_signature": "2/2"}, Fraction(1, 2)),
        ({"time_signature": "3/4"}, Fraction(1)),
        ({"bar_moves": (BarMove(Fraction(9), Fraction(1)),)}, Fraction(1)),
    ],
)
def test_chords_stay_over_the_notes_that_they_were_heard_with(
    fields: dict[str, Any], beats: Fraction
) -> None:
    labels = ["G:maj", "C:maj", "D:7"]
    chords = [(beat, beat + 1, labels[beat % 3]) for beat in range(16)]
    heard = place(perform({"piano": [(beat, 1, 60 + beat) for beat in range(16)]}, chords=chords))
    score = write(heard, **fields)
    assert [chord.start_beats for chord in score.chords] == [beats * beat for beat in range(16)]
    notes = sorted(note.start_beats for part in score.parts for note in part.notes)
    assert set(notes) >= {chord.start_beats for chord in score.chords}
    make(heard, Edit(Corrections(**fields)), Format.MUSICXML, Format.PNG, view=View.LEAD_SHEET)


def test_chords_stay_over_their_notes_where_lines_move_by_an_eighth() -> None:
    chords = [(beat, beat + 1, ["G:maj", "C:maj"][beat % 2]) for beat in range(16)]
    heard = place(perform({"piano": [(beat, 1, 60 + beat) for beat in range(16)]}, chords=chords))
    score = write(heard, **moves(9, 0.5))
    assert [chord.start_beats for chord in score.chords] == starts(score)


def test_chords_are_spelt_in_the_key() -> None:
    heard = perform({"piano": [(0, 4, 61)]}, chords=[(0, 4, "C#:maj")])
    rendering = make(heard, Edit(Corrections(key=Key("Ab", "major"))), Format.MUSICXML)
    assert rendering.shown.chords[0].text == "D♭"


def test_chords_of_a_forced_key_mix_no_sharps_and_flats() -> None:
    labels = ["D#:maj", "A#:maj", "F:maj", "C:min"]
    chords = [(4 * k, 4 * k + 4, label) for k, label in enumerate(labels)]
    heard = perform({"piano": [(4 * k, 4, 60) for k in range(4)]}, chords=chords)
    for key in (Key("A", "minor"), Key("D", "minor"), Key("F", "major")):
        shown = make(heard, Edit(Corrections(key=key)), Format.MUSICXML).shown
        assert [chord.text for chord in shown.chords] == ["E♭", "B♭", "F", "Cm"]


def test_parts_are_left_out_renamed_and_moved() -> None:
    edit = Edit(
        Corrections(
            parts=(
                PartCorrection("drums", left_out=True),
                PartCorrection("piano", name="Viola", program=41, clef=Clef.ALTO),
            )
        )
    )
    page = ElementTree.fromstring(make(play(), edit, Format.MUSICXML).artifacts[0].data)
    assert [node.text for node in page.iter("part-name")] == ["Vocals", "Viola"]
    assert [node.text for node in page.iter("sign")] == ["G", "C"]
    for made in make(play(), edit, Format.MIDI).artifacts:
        file = mido.MidiFile(file=io.BytesIO(made.data))
        names = [m.name for track in file.tracks for m in track if m.type == "track_name"]
        assert "Drums" not in names
        programs = [m.program for track in file.tracks for m in track if m.type == "program_change"]
        assert programs == [52, 41]


@pytest.mark.parametrize("clef", list(Clef))
def test_every_clef_is_written(clef: Clef) -> None:
    edit = Edit(Corrections(parts=(PartCorrection("piano", clef=clef),)))
    heard = perform({"piano": [(k, 1, 48 + k) for k in range(8)]})
    page = ElementTree.fromstring(make(heard, edit, Format.MUSICXML).artifacts[0].data)
    (sign,) = [node.text for node in page.iter("sign")]
    (line,) = [node.text for node in page.iter("line")]
    octave = next((node.text for node in page.iter("clef-octave-change")), None)
    assert (sign, line, octave) == {
        Clef.TREBLE: ("G", "2", None),
        Clef.TREBLE_8VB: ("G", "2", "-1"),
        Clef.ALTO: ("C", "3", None),
        Clef.TENOR: ("C", "4", None),
        Clef.BASS: ("F", "4", None),
        Clef.BASS_8VB: ("F", "4", "-1"),
    }[clef]


# Bars


def test_bars_are_cut_everywhere() -> None:
    edit = Edit(Corrections(bars=BarRange(3, 4)))
    formats = (Format.MUSICXML, Format.MIDI, Format.ROLL)
    rendering = make(play(), edit, *formats)
    files = {file.name: file.data for file in rendering.artifacts}
    page = ElementTree.fromstring(files["score.musicxml"])
    assert [bar.get("number") for bar in page.iter("measure")][:2] == ["3", "4"]
    assert len(list(page.iter("measure"))) == 2 * len(play().parts)
    for name in ("score.mid", "performance.mid"):
        midi = mido.MidiFile(file=io.BytesIO(files[name]))
        sung = [m for m in midi.tracks[1] if m.type == "note_on" and m.velocity]
        assert len(sung) == 2 * len(TUNE)
        assert midi.length == pytest.approx(4.0, abs=0.6)
    assert [chord.text for chord in rendering.shown.chords] == ["D7", "G"]
    assert (rendering.shown.chords[0].start_s, rendering.shown.chords[-1].end_s) == (4.0, 8.0)
    assert len(rendering.shown.beats) == 8
    assert rendering.shown.bar_count == 8
    assert len(make(play(), edit, Format.PNG, view=View.CHORDS).artifacts) == 1


def test_an_excerpt_keeps_the_key_that_it_has_in_the_whole() -> None:
    heard = modulate()
    whole = make(heard, Edit(), Format.MUSICXML)
    late = make(heard, Edit(Corrections(bars=BarRange(25, 28))), Format.MUSICXML)
    assert whole.shown.key == Key("C", "major")
    assert late.shown.key in (Key("F#", "major"), Key("Gb", "major"))


@pytest.mark.parametrize(
    "fields",
    [
        {"bars": BarRange(8, 9)},
        {"bars": BarRange(100, 200)},
        {"parts": (PartCorrection("theremin", left_out=True),)},
        {"parts": (PartCorrection("drums", program=3),)},
        {"parts": (PartCorrection("drums", clef=Clef.BASS),)},
        {
            "parts": tuple(
                PartCorrection(name, left_out=True) for name in ("drums", "piano", "vocals")
            )
        },
        {"first_beat": Fraction(90_000)},
        {"bar_moves": (BarMove(Fraction(90_000), Fraction(1)),)},
        {"beat_scale": Fraction(12), "time_signature": "4/16"},
        {"beat_scale": Fraction(1, 12), "time_signature": "4/2"},
    ],
)
def test_corrections_that_do_not_fit_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidCorrections):
        write(play(), **fields)


# All at once


FIVE: Sequence[Corrections] = (
    Corrections(time_signature="3/4"),
    Corrections(beat_scale=Fraction(1, 2)),
    Corrections(first_beat=Fraction(3, 2)),
    Corrections(key=Key("Bb", "minor")),
    Corrections(finest_value=FinestValue.EIGHTH),
    Corrections(tempo_bpm=200.0),
    Corrections(triplets=Triplets.NOT_ALLOWED),
    Corrections(feel=Feel.SWING),
    Corrections(parts=(PartCorrection("piano", name="Harp", program=46),)),
    Corrections(parts=(PartCorrection("vocals", clef=Clef.ALTO),)),
    Corrections(parts=(PartCorrection("drums", left_out=True),)),
    Corrections(bars=BarRange(1, 2)),
    Corrections(bar_moves=(BarMove(Fraction(9), Fraction(1)),)),
    Corrections(bar_moves=(BarMove(Fraction(5), Fraction(-1, 2)),)),
)


@settings(max_examples=25)
@given(st.permutations(FIVE).map(lambda steps: steps[:5]), st.randoms())
def test_five_in_a_row_give_the_page_that_they_give_at_once(
    steps: list[Corrections], random: Any
) -> None:
    if any(s.beat_scale for s in steps) and any(s.tempo_bpm for s in steps):
        return  # they replace each other
    heard = play(4)

    def follow(order: Sequence[Corrections]) -> Transcription:
        return reduce(lambda music, step: RenderOptions(edit=Edit(step)).amend(music), order, heard)

    def page(music: Transcription, edit: Edit) -> tuple[bytes, ...]:
        return tuple(f.data for f in make(music, edit, Format.MUSICXML, Format.MIDI).artifacts)

    at_once = reduce(lambda state, step: Edit(step).apply(state), steps, Corrections())
    expected = page(heard, Edit(at_once))
    assert page(follow(steps), Edit()) == expected
    assert page(follow(random.sample(steps, len(steps))), Edit()) == expected
    assert page(follow(steps), Edit(at_once)) == expected, "and again"


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 17), st.sampled_from([-1, 1, Fraction(1, 2)])), max_size=3),
    st.sampled_from(["4/4", "3/4", "6/8", "12/8"]),
    st.sampled_from([1, Fraction(1, 2), 2]),
    st.integers(1, 4),
)
def test_moves_fit_any_bars(
    moved: list[tuple[int, Fraction]], metre: str, scale: Fraction, first: int
) -> None:
    heard = play(4)
    steps = [Corrections(**moves(beat, shift)) for beat, shift in dict(moved).items()]
    steps += [
        Corrections(time_signature=metre),
        Corrections(beat_scale=Fraction(scale)),
        Corrections(first_beat=Fraction(first)),
    ]
    state = reduce(lambda state, step: Edit(step).apply(state), steps, Corrections())
    score = write(replace(heard, corrections=state))
    assert sum(len(part.notes) for part in score.parts) == sum(
        len(part.notes) for part in heard.parts
    )
    lines = [bar.start_beats for bar in score.bars()]
    assert lines == sorted(set(lines))


@pytest.mark.parametrize("view", list(View))
def test_corrections_hold_for_every_view_and_transposition(view: View) -> None:
    edit = Edit(Corrections(time_signature="3/4", key=Key("D", "major")))
    rendering = make(play(), edit, Format.MUSICXML, Format.PNG, view=view, transpose_semitones=2)
    page = ElementTree.fromstring(
        next(f.data for f in rendering.artifacts if f.name == "score.musicxml")
    )
    assert {node.text for node in page.iter("beats")} == {"3"}
    assert {node.text for node in page.iter("fifths")} == {"4"}
    assert rendering.shown.time_signature == "3/4"
    assert (rendering.shown.key, rendering.shown.untransposed_key) == (
        Key("E", "major"),
        Key("D", "major"),
    )
    assert rendering.shown.metre_probability == 1


def test_pitches_as_sung_are_corrected_too() -> None:
    flat = sing_flat(play(), [0, 3])
    edit = Edit(Corrections(time_signature="3/4"))
    page = make(flat, edit, Format.MUSICXML, pitches=Pitches.SUNG).artifacts[0].data
    assert {node.text for node in ElementTree.fromstring(page).iter("beats")} == {"3"}


def test_the_result_is_as_heard_with_its_corrections_beside() -> None:
    from inference_service.music.serialization import decode_transcription

    edit = Edit(Corrections(time_signature="3/4", key=Key("D", "minor")))
    corrected = make(play(), edit, Format.JSON, Format.MUSICXML)
    files = {file.name: file.data for file in corrected.artifacts}
    result = decode_transcription(files["result.json"])
    assert (result.time_signature, result.key) == ("4/4", Key("G", "major"))
    assert result.corrections == edit.corrections
    again = make(result, Edit(), Format.MUSICXML)
    assert again.artifacts[0].data == files["score.musicxml"]


@pytest.mark.parametrize(
    "build",
    [
        lambda: replace(play(), beats=()),
        lambda: replace(play(), beats=(Beat(0.0, 1),)),
        lambda: Transcription(
            1.0, 0.0, 120.0, "4/4", Key("C", "major"), (Part("a", "A", ()),), (), ()
        ),
        lambda: perform({"vocals": [(0, 1, 60)]}),
        lambda: replace(play(), placements=()),
        lambda: Transcription(
            9.0,
            0.0,
            120.0,
            "?",
            Key("C", "major"),
            (Part("a", "A", (NoteEvent(0.0, 9.0, 60), NoteEvent(8.9, 8.9, 61))),),
            tuple(Beat(0.01 * k, 1) for k in range(20)),
            (),
        ),
    ],
)
@pytest.mark.parametrize("corrections", FIVE)
def test_poor_music_is_corrected_or_refused(
    build: Callable[[], Transcription], corrections: Corrections
) -> None:
    with suppress(InvalidCorrections):
        make(build(), Edit(corrections), Format.MUSICXML, Format.MIDI, Format.JSON)


def test_only_alternatives_that_can_be_chosen_are_offered() -> None:
    key = Key("G", "major")
    good = [
        Alternative("3/4", 0.5, 2.25, key, 0.1),
        Alternative("12/8", 1.5, 1.0, key, 0.1),
        Alternative("6/8", 1.0, 1.0, key, 0.1),
    ]
    odd = [
        Alternative("4/4", 1.25, 1.0, key, 0.1),
        Alternative("4/4", 1.0, -0.5, key, 0.1),
        Alternative("3/4", 0.75, 1.0, key, 0.1),
    ]
    shown = describe(replace(play(), alternatives=(*odd, *good)), RenderOptions()).shown
    assert shown.alternatives == tuple(good)
    assert write(replace(play(), alternatives=(*odd, *good)), time_signature="3/4") == write(
        play(), time_signature="3/4", beat_scale=Fraction(1, 2), first_beat=Fraction(9, 4)
    )
