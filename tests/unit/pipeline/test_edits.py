"""Edits of single notes and chord symbols, as far as pages and files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import mido
import pytest

from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import (
    BarRange,
    Corrections,
    Edit,
    FinestValue,
    PartCorrection,
)
from inference_service.music.edits import (
    AddNote,
    DeleteChord,
    DeleteNote,
    JoinNote,
    MoveNote,
    ScoreEdit,
    SetChord,
    SetDuration,
    SetPitch,
    Spelling,
    SplitNote,
)
from inference_service.music.events import Key, Transcription
from inference_service.music.score import ScoreNote, transpose_score
from inference_service.notation.arrange import arrange
from inference_service.notation.quantize import WrittenPerformance
from inference_service.notation.views import View
from inference_service.pipeline.correct import correct
from inference_service.pipeline.options import Format, Pitches, RenderOptions
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.render import Rendering, describe, render
from inference_service.pipeline.written import write_corrected
from inference_service.progress import Stage
from tests.factories import perform, place, sing_flat

G_MAJOR = Key("G", "major")
TUNE = [(0, 1, 67), (1, 1, 69), (2, 0.5, 71), (2.5, 0.5, 72), (3, 1, 74)]
Q = Fraction


def play(bars: int = 4, *, is_placed: bool = True, **options: Any) -> Transcription:
    """A tune over chords: G A B c d in every bar, at 120 beats a minute."""
    vocals = [
        (4 * bar + start, length, pitch) for bar in range(bars) for start, length, pitch in TUNE
    ]
    piano = [(4 * bar, 4, pitch) for bar in range(bars) for pitch in (43, 62)]
    labels = ["G:maj", "C:maj", "D:7", "G:maj"]
    chords = [(4 * bar, 4 * bar + 4, labels[bar % 4]) for bar in range(bars)]
    heard = perform({"vocals": vocals, "piano": piano}, key=G_MAJOR, chords=chords, **options)
    return place(heard) if is_placed else heard


def play_piano(*notes: tuple[float, float, int]) -> Transcription:
    return place(perform({"piano": [*notes, (8, 4, 60)]}))


def ask(heard: Transcription, *edits: ScoreEdit, **options: Any) -> Transcription:
    """Return the music with edits that a request adds."""
    wanted = Corrections(edits=(*heard.corrections.edits, *edits))
    return make_absolute(heard, RenderOptions(edit=Edit(wanted), **options)).amend(heard)


def correct_too(heard: Transcription, **fields: Any) -> Transcription:
    return RenderOptions(edit=Edit(Corrections(**fields))).amend(heard)


def write(heard: Transcription, pitches: Pitches = Pitches.MEANT) -> WrittenPerformance:
    return write_corrected(correct(heard), pitches, "")


def read(
    heard: Transcription, part: int = 0, view: View = View.FULL, **options: Any
) -> list[tuple[Fraction, Fraction, int]]:
    """Return start, duration and pitch of the notes of a part on the page."""
    return [
        (note.start_beats, note.duration_beats, note.pitch)
        for note in read_notes(heard, part, view, **options)
    ]


def read_notes(
    heard: Transcription, part: int = 0, view: View = View.FULL, **options: Any
) -> Sequence[ScoreNote]:
    return arrange(write(heard, **options).score, view).parts[part].notes


def read_names(heard: Transcription, semitones: int = 0) -> list[str]:
    """Return the names of the first bar's notes, such as ``F#5``."""
    rendering = make(heard, Format.MUSICXML, view=View.MELODY, transpose_semitones=semitones)
    page = ElementTree.fromstring(rendering.artifacts[0].data)
    signs = {"1": "#", "-1": "b", "2": "##", "-2": "bb", "0": "", None: ""}
    return [
        f"{pitch.findtext('step')}{signs[pitch.findtext('alter')]}{pitch.findtext('octave')}"
        for pitch in page.findall("part/measure[1]/note/pitch")
    ]


def quiet(stage: Stage, fraction: float) -> None:
    """Ignore progress."""


def make(heard: Transcription, *formats: Format, **options: Any) -> Rendering:
    return render(heard, RenderOptions(formats=frozenset(formats), **options), quiet)


placings = pytest.mark.parametrize("is_placed", [True, False])


# Pitch


@pytest.mark.parametrize(
    ("steps", "pitches"), [(1, [71, 74]), (-1, [67, 71]), (7, [81, 84]), (-3, [64, 67])]
)
def test_a_note_moves_in_its_scale(steps: int, pitches: list[int]) -> None:
    heard = ask(play(), MoveNote("vocals:1", steps), MoveNote("vocals:3", steps))
    moved = read(heard)
    assert [moved[1][2], moved[3][2]] == pitches
    assert [note[:2] for note in moved] == [note[:2] for note in read(play())]


def test_a_foreign_note_steps_into_the_scale() -> None:
    sharp = ask(play(), MoveNote("vocals:1", semitones=1))  # A sharp in G major
    assert read(ask(sharp, MoveNote("vocals:1", 1)))[1][2] == 71
    assert read(ask(sharp, MoveNote("vocals:1", -1)))[1][2] == 69


@pytest.mark.parametrize(
    ("semitones", "name"), [(1, "A#4"), (-1, "Ab4"), (2, "B4"), (-3, "F#4"), (-4, "F4")]
)
def test_the_spelling_follows_the_direction_and_the_key(semitones: int, name: str) -> None:
    heard = ask(play(), SetChord(0.0, text="Em"), MoveNote("vocals:1", semitones=semitones))
    assert read_names(heard)[1] == name


def test_the_spelling_holds_for_transposed_pages() -> None:
    heard = ask(play(), MoveNote("vocals:1", semitones=1), MoveNote("vocals:0", semitones=-1))
    assert read_names(heard)[:2] == ["F#4", "A#4"]
    assert read_names(heard, -2)[:2] == ["E4", "G#4"]
    assert read_names(heard, 1)[:2] == ["G4", "B4"]


def test_a_note_of_the_chord_is_spelt_as_such() -> None:
    heard = ask(play(), SetChord(0.0, text="F#7"), MoveNote("vocals:2", semitones=-1))
    assert read_names(heard)[2] == "A#4"


def test_a_note_is_respelt() -> None:
    sharp = ask(play(), SetPitch("vocals:1", 70, Spelling.RAISED))
    assert read_names(sharp)[1] == "A#4"
    assert read_names(ask(sharp, SetPitch("vocals:1", 70, Spelling.LOWERED)))[1] == "Bb4"


def test_a_moved_note_keeps_its_pitch_in_another_key() -> None:
    heard = ask(play(), MoveNote("vocals:4", 2))  # d to f sharp
    assert heard.corrections.edits == (SetPitch("vocals:4", 78),)
    assert read(correct_too(heard, key=Key("C", "major")))[4][2] == 78


def test_an_edited_pitch_is_also_that_of_what_was_sung() -> None:
    flat = sing_flat(play(), [0, 1])
    assert [note[2] for note in read(flat, pitches=Pitches.SUNG)[:3]] == [66, 68, 71]
    heard = ask(flat, MoveNote("vocals:1", 1))
    for pitches in Pitches:
        assert read(heard, pitches=pitches)[1][2] == 71
    assert read(heard, pitches=Pitches.SUNG)[0][2] == 66
    from_sung = ask(flat, MoveNote("vocals:0", 1), pitches=Pitches.SUNG)
    assert from_sung.corrections.edits == (SetPitch("vocals:0", 67),)


def test_pages_no_longer_differ_as_sung_once_the_notes_are_edited() -> None:
    flat = sing_flat(play(), [0, 1])
    assert describe(flat, RenderOptions()).shown.sung_differs
    heard = ask(flat, SetPitch("vocals:1", 69), DeleteNote("vocals:0"))
    assert not describe(heard, RenderOptions()).shown.sung_differs


# Length


@placings
def test_a_shorter_note_leaves_a_rest(is_placed: bool) -> None:
    heard = ask(play(is_placed=is_placed), SetDuration("vocals:1", Q(3, 4)))
    assert read(heard)[:3] == [(0, 1, 67), (1, Q(3, 4), 69), (2, Q(1, 2), 71)]
    assert read(heard)[3:] == read(play())[3:]


@placings
def test_a_longer_note_takes_its_time_from_the_next(is_placed: bool) -> None:
    heard = ask(play(is_placed=is_placed), SetDuration("vocals:0", Q(3, 2)))
    assert read(heard)[:3] == [(0, Q(3, 2), 67), (Q(3, 2), Q(1, 2), 69), (2, Q(1, 2), 71)]
    onsets_s = [note.onset_s for note in write(heard).performance.parts[0].notes]
    assert onsets_s[:3] == pytest.approx([0, 0.75, 1])


@placings
def test_a_longer_note_loses_no_other(is_placed: bool) -> None:
    heard = play(is_placed=is_placed)
    with pytest.raises(InvalidCorrections, match="the next note begins where this one ends"):
        ask(heard, SetDuration("vocals:0", Q(2)))
    short = ask(heard, SetDuration("vocals:1", Q(1, 4)))
    assert read(ask(short, SetDuration("vocals:1", Q(4)))) == read(heard)


def test_the_last_note_may_last() -> None:
    heard = ask(play(1), SetDuration("vocals:4", Q(3)))
    assert read(heard)[-1] == (3, 3, 74)


def test_a_note_of_a_piano_is_held_over_the_next_ones() -> None:
    heard = play_piano((0, 1, 72), (1, 1, 74), (2, 1, 76), (3, 1, 77), (0, 4, 48), (4, 4, 50))
    held = ask(heard, SetDuration("piano:0", Q(3)))
    notes = {note.id: note for note in read_notes(held)}
    assert notes["piano:0"].duration_beats == 3
    assert notes["piano:0"].voice != notes["piano:2"].voice
    assert len(notes) == len(read_notes(heard))


def test_a_held_note_ends_where_its_key_is_struck_again() -> None:
    heard = play_piano((0, 1, 72), (1, 1, 74), (2, 1, 72), (0, 4, 48))
    held = ask(heard, SetDuration("piano:0", Q(4)))
    assert {note.id: note.duration_beats for note in read_notes(held)}["piano:0"] == 2


def test_a_note_of_a_chord_is_shortened_alone() -> None:
    heard = ask(play(), SetDuration("piano:1", Q(1)))
    notes = {note.id: note for note in read_notes(heard, 1)}
    assert (notes["piano:0"].duration_beats, notes["piano:1"].duration_beats) == (4, 1)


def test_values_that_no_beat_can_hold_go_to_the_nearest_place() -> None:
    heard = ask(play(), SetDuration("vocals:1", Q(5, 7)))
    assert read(heard)[1] == (1, Q(3, 4), 69)


# Deleting, splitting, joining, adding


@placings
@pytest.mark.parametrize("number", [1, 3])
def test_a_deleted_note_leaves_a_rest(is_placed: bool, number: int) -> None:
    heard = play(is_placed=is_placed)
    left = read(heard)
    del left[number]
    assert read(ask(heard, DeleteNote(f"vocals:{number}"))) == left


def test_bars_stay_where_the_first_notes_are_deleted() -> None:
    heard = ask(play(), *(DeleteNote(f"vocals:{k}") for k in range(5)), DeleteNote("piano:0"))
    assert write(heard).score.bars() == write(play()).score.bars()
    everything = [f"{part.id}:{k}" for part in play().parts for k in range(len(part.notes))]
    nothing = ask(play(), *map(DeleteNote, everything))
    for view in View:
        make(nothing, Format.MUSICXML, Format.PNG, view=view)


def test_deleting_the_last_notes_leaves_a_range_of_bars_alone() -> None:
    heard = correct_too(play(), bars=BarRange(2, 4))
    ends = [
        *(DeleteNote(f"vocals:{k}") for k in range(15, 20)),
        *map(DeleteNote, ["piano:6", "piano:7"]),
    ]
    assert len(write(ask(heard, *ends)).score.bars()) == 2


@placings
@pytest.mark.parametrize(
    ("length", "start", "expected"),
    [
        (1, 0, Q(1, 2)),
        (2, 0, 1),
        (3, 0, 2),
        (Q(3, 2), Q(1, 2), Q(1, 2)),
        (4, 0, 2),
    ],
)
def test_a_note_is_split_where_the_bar_is_strongest(
    is_placed: bool, length: float, start: float, expected: Fraction
) -> None:
    heard = perform({"vocals": [(start, length, 67), (4, 4, 67)]})
    heard = place(heard) if is_placed else heard
    first, second = read(ask(heard, SplitNote("vocals:0")))[:2]
    assert first == (start, expected, 67)
    assert second == (start + expected, length - expected, 67)


def test_a_note_is_split_as_asked() -> None:
    heard = ask(play(), SplitNote("piano:1", Q(1)))
    assert read(heard, 1)[:3] == [(0, 1, 62), (0, 4, 43), (1, 3, 62)]
    later = next(note for note in read_notes(heard, 1) if note.start_beats == 1)
    assert later.id == "piano:1/1"


def test_the_pieces_of_a_split_are_notes() -> None:
    heard = ask(
        play(),
        SplitNote("vocals:0"),
        SplitNote("vocals:0/1"),
        SplitNote("vocals:0"),
        MoveNote("vocals:0/1/1", 1),
        DeleteNote("vocals:0/2"),
    )
    pieces = [(0, Q(1, 4), 67), (Q(1, 2), Q(1, 4), 67), (Q(3, 4), Q(1, 4), 69)]
    assert read(heard)[:3] == pieces


def test_what_was_split_is_joined_again() -> None:
    heard = ask(play(), SplitNote("vocals:1"), JoinNote("vocals:1"))
    assert read(heard) == read(play())
    performed = write(heard).performance.parts[0].notes
    assert performed == play().parts[0].notes


def test_a_note_is_tied_over_a_bar_line_and_a_rest() -> None:
    heard = ask(play(), SetPitch("vocals:5", 74), JoinNote("vocals:4"))
    assert read(heard)[4] == (3, 2, 74)
    spaced = ask(play(), SetPitch("vocals:4", 67), SetDuration("vocals:4", Q(1, 2)))
    assert read(ask(spaced, JoinNote("vocals:4")))[4] == (3, 2, 67)


def test_notes_of_other_pitches_are_not_joined() -> None:
    with pytest.raises(InvalidCorrections, match="no note of the same pitch follows"):
        ask(play(), JoinNote("vocals:1"))


@placings
def test_a_note_is_added_in_a_rest(is_placed: bool) -> None:
    heard = ask(play(is_placed=is_placed), DeleteNote("vocals:1"))
    added = ask(heard, AddNote("vocals", 0.76, Q(1, 4), 70, Spelling.LOWERED))
    assert read(added)[:3] == [(0, 1, 67), (Q(3, 2), Q(1, 4), 70), (2, Q(1, 2), 71)]
    assert read_names(added)[1] == "Bb4"
    moved = ask(added, MoveNote("vocals+1", semitones=-1))
    assert read(moved)[1] == (Q(3, 2), Q(1, 4), 69)


def test_an_added_note_ends_the_one_that_sounds() -> None:
    heard = ask(play(), AddNote("vocals", 0.25, Q(4), 79))
    assert read(heard)[:3] == [(0, Q(1, 2), 67), (Q(1, 2), Q(1, 2), 79), (1, 1, 69)]


def test_a_note_is_added_to_a_chord_on_its_staff() -> None:
    heard = ask(play(), AddNote("piano", 0.0, Q(4), 59), AddNote("piano", 0.5, Q(1), 64, staff=2))
    notes = [note for note in write(heard).score.parts[1].notes if note.start_beats < 4]
    assert [(n.start_beats, n.pitch, n.staff) for n in notes] == [
        (0, 43, 2),
        (0, 59, 1),
        (0, 62, 1),
        (1, 64, 2),
    ]


def test_where_a_note_begins_no_other_is_added_to_a_line() -> None:
    with pytest.raises(InvalidCorrections, match="a note begins there already"):
        ask(play(), AddNote("vocals", 0.5, Q(1), 60))
    with pytest.raises(InvalidCorrections, match="there is no bar at this time"):
        ask(play(), AddNote("vocals", 100.0, Q(1), 60))


def test_drums_are_struck_and_deleted() -> None:
    heard = perform({"drums": [(beat, 0.25, 36 + 2 * (beat % 2)) for beat in range(8)]})
    edited = ask(heard, DeleteNote("drums:0"), AddNote("drums", 0.25, Q(1, 2), 42))
    assert [note[2] for note in read(edited)] == [42, 38, 36, 38, 36, 38, 36, 38]
    with pytest.raises(InvalidCorrections, match="a note begins there already"):
        ask(heard, AddNote("drums", 0.0, Q(1), 35))  # another bass drum
    with pytest.raises(InvalidCorrections, match="another stroke is written there"):
        ask(ask(heard, AddNote("drums", 0.0, Q(1), 42)), SetPitch("drums+1", 35))
    for edit in (MoveNote("drums:1", 1), SetDuration("drums:1", Q(1)), SplitNote("drums:1")):
        with pytest.raises(InvalidCorrections, match="edit 1: "):
            ask(heard, edit)


def test_grace_notes_are_moved_and_deleted() -> None:
    heard = place(perform({"piano": [(k, 1, 60 + k) for k in range(8)]}))
    grace = replace(heard.placements[0][2], is_ornament=True)
    placed = (*heard.placements[0][:2], grace, *heard.placements[0][3:])
    heard = replace(heard, placements=(placed,))
    notes = heard.parts[0].notes
    near = replace(notes[2], onset_s=notes[3].onset_s - 0.05)
    heard = replace(heard, parts=(replace(heard.parts[0], notes=(*notes[:2], near, *notes[3:])),))
    assert [n.pitch for n in read_notes(heard) if n.grace] == [62]
    moved = ask(heard, MoveNote("piano:2", -1))
    assert [n.pitch for n in read_notes(moved) if n.grace] == [60]
    assert not [n for n in read_notes(ask(heard, DeleteNote("piano:2"))) if n.grace]
    with pytest.raises(InvalidCorrections, match="a grace note has no value"):
        ask(heard, SetDuration("piano:2", Q(1)))


# Chords


def read_chords(heard: Transcription) -> list[tuple[Fraction, str]]:
    return [(chord.start_beats, chord.label) for chord in write(heard).score.chords]


def test_a_chord_is_written_where_it_is_put() -> None:
    heard = ask(play(), SetChord(1.0, text="Am7"), SetChord(4.26, text="D/F#"))
    assert read_chords(heard) == [
        (0, "G:maj"),
        (2, "A:min7"),
        (4, "C:maj"),
        (8, "D:7"),
        (Q(17, 2), "D:maj/3"),
        (12, "G:maj"),
    ]
    spans = [(chord.start_s, chord.end_s) for chord in write(heard).performance.chords]
    assert spans == [(0, 1), (1, 2), (2, 4), (4, 4.25), (4.25, 6), (6, 8)]


def test_a_chord_is_changed() -> None:
    heard = ask(play(), SetChord(2.0, text="Em"))
    assert read_chords(heard)[1] == (4, "E:min")
    assert heard.corrections.edits == (SetChord(2.0, label="E:min"),)


def test_a_deleted_chord_lets_the_one_before_last() -> None:
    heard = ask(play(), DeleteChord(2.0))
    assert read_chords(heard) == [(0, "G:maj"), (8, "D:7"), (12, "G:maj")]
    assert read_chords(ask(play(), DeleteChord(0.0)))[0] == (4, "C:maj")


def test_a_chord_has_the_name_of_the_page_that_was_asked_for() -> None:
    heard = ask(play(), SetChord(1.0, text="B♭7"), transpose_semitones=3)
    assert read_chords(heard)[1] == (2, "G:7")
    assert ask(heard, DeleteChord(6.0), transpose_semitones=3).corrections.edits[0] == (
        SetChord(1.0, label="G:7")
    )


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        (SetChord(0.0, text="Verse"), "this is no name of a chord"),
        (SetChord(0.0, text="G"), "this chord is in force there already"),
        (SetChord(1.0, label="G:maj"), "this chord is in force there already"),
        (SetChord(900.0, label="D:maj"), "there is no bar at this time"),
        (DeleteChord(1.0), "no chord symbol is there"),
    ],
)
def test_chords_that_cannot_be_are_refused(edit: ScoreEdit, cause: str) -> None:
    with pytest.raises(InvalidCorrections, match=f"edit 1: {cause}"):
        ask(play(), edit)


def test_silence_is_a_chord() -> None:
    heard = ask(play(), SetChord(2.0, text="N.C."))
    assert read_chords(heard)[1] == (4, "N")
    assert read_chords(ask(heard, DeleteChord(2.0)))[1] == (8, "D:7")


# With other corrections, in every file


def test_edits_follow_the_values_of_the_beat() -> None:
    heard = ask(play(), SetDuration("vocals:1", Q(1, 2)), SplitNote("vocals:4"))
    doubled = correct_too(heard, beat_scale=Q(2))
    assert read(doubled) == [(2 * a, 2 * b, c) for a, b, c in read(heard)]


@pytest.mark.parametrize(
    "fields",
    [
        {"time_signature": "3/4"},
        {"time_signature": "2/2"},
        {"first_beat": Q(2)},
        {"finest_value": FinestValue.EIGHTH},
        {"key": Key("Bb", "minor")},
        {"parts": (PartCorrection("piano", left_out=True),)},
    ],
)
def test_edits_hold_with_other_corrections(fields: dict[str, Any]) -> None:
    edits = (
        SetPitch("vocals:0", 60),
        DeleteNote("vocals:7"),
        AddNote("vocals", 3.0, Q(1, 2), 79),
        SetChord(1.0, label="A:min7"),
    )
    heard = correct_too(ask(play(), *edits), **fields)
    pitches = [note.pitch for note in read_notes(heard)]
    assert pitches[0] == 60
    assert 79 in pitches
    assert "vocals:7" not in {note.id for note in read_notes(heard)}
    assert "A:min7" in {label for _, label in read_chords(heard)}
    assert heard.corrections.edits == edits


def test_an_edit_rests_while_its_part_is_left_out() -> None:
    heard = ask(play(), SetPitch("piano:0", 45))
    without = correct_too(heard, parts=(PartCorrection("piano", left_out=True),))
    again = ask(without, SetPitch("vocals:0", 60))
    assert read(correct_too(again, parts=(PartCorrection("piano", left_out=False),)), 1)[0][2] == 45
    with pytest.raises(InvalidCorrections, match="edit 2: no note has this id"):
        ask(without, SetPitch("piano:0", 45))


@pytest.mark.parametrize("name", ["vocals:99", "theremin:0", "vocals:1/1", "vocals+1", "x"])
def test_what_is_not_there_is_not_edited(name: str) -> None:
    with pytest.raises(InvalidCorrections, match="edit 2: no note has this id") as raised:
        ask(play(), DeleteNote("vocals:0"), DeleteNote(name))
    assert raised.value.params == {"correction": "edits", "edit": 2}


def test_a_note_is_deleted_once() -> None:
    heard = ask(play(), DeleteNote("vocals:0"))
    with pytest.raises(InvalidCorrections, match="the note is no longer there"):
        ask(heard, MoveNote("vocals:0", 1))
    assert ask(play(), *heard.corrections.edits) == heard


def test_what_a_line_does_not_show_neither_appears_nor_is_edited() -> None:
    heard = place(perform({"vocals": [(0, 1, 60), (0, 2, 72), (2, 2, 67)]}))
    assert read(heard) == [(0, 2, 72), (2, 2, 67)]
    assert read(ask(heard, DeleteNote("vocals:1"))) == [(2, 2, 67)]
    assert read(ask(heard, SetPitch("vocals:1", 48))) == [(0, 2, 48), (2, 2, 67)]
    for edit in (MoveNote("vocals:0", 14), SetPitch("vocals:0", 80), SplitNote("vocals:0")):
        with pytest.raises(InvalidCorrections, match="the note is not on the page"):
            ask(heard, edit)


def test_a_heard_note_that_was_written_as_one_with_another_goes_with_it() -> None:
    heard = perform({"piano": [(0, 1, 60), (0.01, 2, 60), (2, 2, 64)]})
    deleted = ask(heard, DeleteNote(read_notes(heard)[0].id))
    assert [note[2] for note in read(deleted)] == [64]
    assert [note.pitch for note in write(deleted).performance.parts[0].notes] == [64]


@pytest.mark.parametrize("view", [View.FULL, View.MELODY, View.LEAD_SHEET, View.PIANO])
@placings
def test_edits_hold_in_every_view(view: View, is_placed: bool) -> None:
    heard = ask(
        play(is_placed=is_placed),
        SetPitch("vocals:0", 60),
        SetDuration("vocals:1", Q(1, 2)),
        DeleteNote("vocals:3"),
    )
    line = [note[:3] for note in read(heard, 0, view) if note[2] != 43]
    for written in ((0, 1, 60), (1, Q(1, 2), 69), (2, Q(1, 2), 71), (3, 1, 74)):
        assert written in line
    assert (Q(5, 2), Q(1, 2), 72) not in line


def test_edits_are_in_every_file() -> None:
    heard = ask(play(), SetPitch("vocals:0", 60), DeleteNote("vocals:1"), SetChord(1.0, text="Am7"))
    formats = (Format.MIDI, Format.ROLL, Format.MUSICXML, Format.JSON)
    files = {file.name: file.data for file in make(heard, *formats).artifacts}
    for name in ("score.mid", "performance.mid"):
        tracks = mido.MidiFile(file=io.BytesIO(files[name])).tracks
        struck = [m.note for m in tracks[1] if m.type == "note_on" and m.velocity]
        assert struck[:3] == [60, 71, 72]
        assert "Am7" in [m.text for m in tracks[0] if m.type == "marker"]
    unedited = make(play(), Format.ROLL).artifacts[0].data
    assert files["roll.png"] != unedited
    assert b"minor-seventh" in files["score.musicxml"]
    chart = make(heard, Format.MUSICXML, view=View.CHORDS).artifacts[0].data
    assert b"minor-seventh" in chart


def test_the_result_keeps_its_edits_beside_what_was_heard() -> None:
    from inference_service.music.serialization import decode_transcription

    heard = ask(
        play(), MoveNote("vocals:0", semitones=1), SplitNote("vocals:1"), SetChord(1.0, "Am7")
    )
    files = {f.name: f.data for f in make(heard, Format.JSON, Format.MUSICXML).artifacts}
    result = decode_transcription(files["result.json"])
    assert [note.pitch for note in result.parts[0].notes] == [
        n.pitch for n in play().parts[0].notes
    ]
    assert result.corrections == heard.corrections
    again = make(result, Format.MUSICXML).artifacts[0].data
    assert again == files["score.musicxml"]


def test_keys_stay_where_they_are() -> None:
    modulating = [(beat, 1, 60 + (beat % 7) + (2 if beat >= 64 else 0)) for beat in range(128)]
    heard = place(perform({"vocals": modulating}))
    before = write(heard).score
    edited = write(ask(heard, SetPitch("vocals:3", 66))).score
    shown = arrange(before, View.FULL)
    again = arrange(edited, View.FULL)
    assert (again.key, again.key_changes) == (shown.key, shown.key_changes)
    assert transpose_score(again, 12).key == again.key


def read_clefs(heard: Transcription, **options: Any) -> list[str | None]:
    page = ElementTree.fromstring(make(heard, Format.MUSICXML, **options).artifacts[0].data)
    return [clef.findtext("clef-octave-change") for clef in page.iter("clef")]


def test_the_clef_stays_while_the_notes_stay_in_their_register() -> None:
    heard = place(perform({"vocals": [(k, 1, 60 + k % 3) for k in range(8)]}))
    assert read_clefs(heard) == [None]
    lower = ask(heard, *(SetPitch(f"vocals:{k}", 58) for k in range(4)))
    assert read_clefs(lower) == [None]
    assert read_clefs(lower, transpose_semitones=-2) == ["-1"]
    octave_lower = ask(heard, *(MoveNote(f"vocals:{k}", -7) for k in range(8)))
    assert read_clefs(octave_lower) == ["-1"]


def test_a_note_before_the_first_one_extends_the_pickup() -> None:
    heard = play(pickup_beats=1)
    assert write(heard).score.pickup_beats == 1
    early = ask(heard, AddNote("vocals", -0.5, Q(1, 2), 62))
    score = write(early).score
    assert score.pickup_beats == 2
    assert len(score.bars()) == len(write(heard).score.bars())
