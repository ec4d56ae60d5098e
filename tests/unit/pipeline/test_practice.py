"""Sheets: scores for a page that plays them and follows the recording."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from inference_service.errors import Cancelled
from inference_service.music.corrections import BarRange, Corrections, Edit, PartCorrection
from inference_service.music.edits import AddNote, DeleteNote, MoveNote, SetChord, SplitNote
from inference_service.music.events import NoteEvent, Part, Transcription
from inference_service.notation.names import Language
from inference_service.notation.views import View
from inference_service.pipeline import encoded, practice
from inference_service.pipeline.options import Format, RenderOptions, Screen
from inference_service.pipeline.practice import Sheet, SheetNote, engrave_sheet
from inference_service.pipeline.render import render
from inference_service.progress import Stage
from tests.factories import perform, place

CHORDS = [(0, 4, "C:maj"), (4, 8, "G:7"), (8, 12, "A:min")]


def play(**options: Any) -> Transcription:
    """Three bars: a tune with a note tied over a bar line, chords, drums."""
    parts: dict[str, list[tuple[float, float, int]]] = {
        "vocals": [(0, 1, 67), (1, 2, 69), (3, 3, 71), (6, 2, 67), (8, 4, 72)],
        "piano": [(4 * bar, 4, pitch) for bar in range(3) for pitch in (43, 62)],
        "drums": [(beat, 0.25, 36 + 2 * (beat % 2)) for beat in range(12)],
    }
    return place(perform(parts, chords=CHORDS, **options))


def engrave(
    music: Transcription, view: View = View.FULL, width_px: int = 390, **options: Any
) -> Sheet:
    wanted = RenderOptions(view=view, **options)
    return engrave_sheet(music, wanted, Screen(width_px), quiet).sheet


def quiet(stage: Stage, fraction: float) -> None:
    """Ignore progress."""


def correct(**fields: Any) -> dict[str, Any]:
    return {"edit": Edit(Corrections(**fields))}


def list_ids(sheet: Sheet) -> list[str]:
    return [name for page in sheet.pages.pages for name in re.findall(r' id="([^"]*)"', page)]


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("width_px", [390, 1440])
def test_everything_is_tied_to_its_picture(view: View, width_px: int) -> None:
    sheet = engrave(play(), view, width_px)
    ids = list_ids(sheet)
    assert len(ids) == len(set(ids))
    named = [name for note in sheet.notes for name in note.ids]
    assert sorted(ids) == sorted([*named, *(measure.id for measure in sheet.measures)])
    for measure in sheet.measures:
        assert f' id="{measure.id}"' in sheet.pages.pages[measure.page - 1]
    assert {note.part for note in sheet.notes} <= {part.id for part in sheet.parts}
    if view is View.CHORDS:
        assert {note.note for note in sheet.notes} == {""}
    else:
        assert all(note.ids and note.note for note in sheet.notes)


@pytest.mark.parametrize("view", View)
def test_bars_follow_each_other(view: View) -> None:
    sheet = engrave(play(), view)
    assert [measure.number for measure in sheet.measures] == [1, 2, 3]
    assert [measure.id for measure in sheet.measures] == ["bar-1", "bar-2", "bar-3"]
    assert sheet.measures[0].start == 0
    assert all(a.stop == b.start for a, b in pairwise(sheet.measures))
    assert sheet.measures[-1].stop == 12


def test_staves_and_key_signatures_are_those_of_the_picture() -> None:
    sheet = engrave(play(), transpose_semitones=2)
    assert [part.staves for part in sheet.parts] == [1, 2, 1]
    first = sheet.pages.pages[0].partition('class="measure"')[2].partition('class="measure"')[0]
    assert first.count('class="staff"') == 4
    assert {measure.fifths for measure in sheet.measures} == {2}


def find(sheet: Sheet, note: str) -> SheetNote:
    (found,) = (known for known in sheet.notes if known.note == note)
    return found


def test_edited_notes_are_tied_to_their_pictures() -> None:
    edits = (
        SplitNote("vocals:2"),
        MoveNote("vocals:2/1", 1),
        DeleteNote("vocals:0"),
        AddNote("vocals", 0.0, Fraction(1, 2), 60),
    )
    sheet = engrave(play(), **correct(edits=edits))
    assert {name for note in sheet.notes for name in note.ids} <= set(list_ids(sheet))
    assert all(note.ids for note in sheet.notes)
    first, second = find(sheet, "vocals:2"), find(sheet, "vocals:2/1")
    assert (first.start, first.duration, second.start, second.pitch) == (3, 1, 4, 72)
    assert (find(sheet, "vocals+1").start, find(sheet, "vocals+1").duration) == (0, Fraction(1, 2))
    assert "vocals:0" not in {note.note for note in sheet.notes}


@pytest.mark.parametrize("late_s", [0.0, 0.12, -0.15])
def test_edits_arrive_where_the_page_was_touched(late_s: float) -> None:
    music = play()
    voice = music.parts[0]
    late = tuple(
        replace(note, onset_s=max(note.onset_s + late_s, 0.0), offset_s=note.offset_s + late_s)
        for note in voice.notes
    )
    music = replace(music, parts=(replace(voice, notes=late),))
    music = replace(music, placements=music.placements[:1])
    clock = engrave(music).clock
    for quarters in (1, 2, 3.5, 6, 8, 9.5):
        chord = SetChord(clock.to_seconds(quarters), text="F#7")
        chords = engrave(music, **correct(edits=(chord,))).chords
        assert quarters in [symbol.start for symbol in chords if symbol.text == "F♯7"]
    for quarters in (0.5, 5.25, 11.75):
        added = AddNote("vocals", clock.to_seconds(quarters), Fraction(1, 4), 60)
        sheet = engrave(music, **correct(edits=(added,)))
        assert find(sheet, "vocals+1").start == quarters
        assert sheet.clock.to_seconds(quarters) == pytest.approx(clock.to_seconds(quarters))


def test_a_tied_note_is_played_once() -> None:
    note = find(engrave(play()), "vocals:2")
    assert (note.start, note.duration) == (3, 3)
    assert note.ids == ("note-vocals_3a_2", "note-vocals_3a_2.2")


def test_notes_sound_as_transposed_but_drums() -> None:
    here, moved = (engrave(play(), transpose_semitones=by) for by in (0, 3))
    for before, after in zip(here.notes, moved.notes, strict=True):
        assert after.pitch == before.pitch + (0 if before.part == "drums" else 3)
        assert (after.note, after.start) == (before.note, before.start)
    assert [chord.text for chord in moved.chords] == ["E♭", "B♭7", "Cm"]


def test_lengths_are_in_quarters() -> None:
    music = place(perform({"vocals": [(0, 3, 67), (3, 3, 69)]}, time_signature="6/8"))
    sheet = engrave(music)
    assert [(note.start, note.duration) for note in sheet.notes] == [
        (0, Fraction(3, 2)),
        (Fraction(3, 2), Fraction(3, 2)),
    ]
    assert sheet.measures[0].stop == 3


def test_a_sheet_begins_with_its_pickup() -> None:
    music = place(perform({"vocals": [(3, 1, 67), (4, 4, 69), (8, 3, 67)]}))
    sheet = engrave(music)
    assert [(m.number, m.start, m.stop) for m in sheet.measures] == [
        (0, 0, 1),
        (1, 1, 5),
        (2, 5, 8),
    ]
    assert [note.start for note in sheet.notes] == [0, 1, 5]
    assert sheet.clock.to_seconds(0) == pytest.approx(1.5)
    assert sheet.clock.to_seconds(5) == pytest.approx(4.0)


def test_a_range_of_bars_has_its_own_time() -> None:
    sheet = engrave(play(), **correct(bars=BarRange(2, 3)))
    assert [(m.number, m.start) for m in sheet.measures] == [(2, 0), (3, 4)]
    assert sheet.clock.to_seconds(0) == pytest.approx(2.0)
    assert find(sheet, "vocals:3").start == 2
    assert sheet.chords[0].start == 0


@pytest.mark.parametrize("view", [View.MELODY, View.LEAD_SHEET])
def test_a_view_that_begins_later_keeps_the_time(view: View) -> None:
    parts = {"vocals": [(8, 2, 67), (10, 2, 69)], "piano": [(k, 1, 50) for k in range(12)]}
    sheet = engrave(place(perform(parts)), view)
    note = find(sheet, "vocals:0")
    assert sheet.clock.to_seconds(float(note.start)) == pytest.approx(4.0)


RUBATO = [0.0, 0.61, 1.05, 1.58, 2.4, 3.3, 3.8]
"""Onsets of notes that are a beat long."""


def sing_freely() -> Transcription:
    music = place(perform({"vocals": [(k, 1, 60 + k) for k in range(len(RUBATO))]}))
    (part,) = music.parts
    sung = tuple(NoteEvent(onset_s, onset_s + 0.4, 60 + k) for k, onset_s in enumerate(RUBATO))
    return replace(music, parts=(replace(part, notes=sung),))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"time_signature": "3/4"},
        {"beat_scale": Fraction(2)},
        {"beat_scale": Fraction(1, 2)},
        {"first_beat": Fraction(2)},
        {"time_signature": "6/8"},
        {"bars": BarRange(1, 1)},
    ],
)
def test_the_clock_shows_each_note_when_it_was_heard(fields: dict[str, Any]) -> None:
    sheet = engrave(sing_freely(), **correct(**fields))
    assert sheet.notes
    for note in sheet.notes:
        onset_s = RUBATO[int(note.note.removeprefix("vocals:"))]
        assert sheet.clock.to_seconds(float(note.start)) == pytest.approx(onset_s)


@pytest.mark.parametrize("view", View)
def test_the_clock_lasts_from_the_first_bar_line_to_the_last(view: View) -> None:
    sheet = engrave(play(jitter_s=0.03), view)
    assert sheet.clock.positions[0] == 0
    assert sheet.clock.positions[-1] == sheet.measures[-1].stop
    assert all(a < b for a, b in pairwise(sheet.clock.positions))
    assert all(a < b for a, b in pairwise(sheet.clock.times_s))


@pytest.mark.parametrize("view", View)
def test_music_without_notes_or_chords_has_a_sheet(view: View) -> None:
    music = replace(play(), parts=(Part("vocals", "Vocals", ()),), placements=(), chords=())
    sheet = engrave(music, view)
    assert [measure.id for measure in sheet.measures] == ["bar-1"]
    assert sheet.notes == ()
    assert len(sheet.clock.positions) >= 2


def test_parts_are_named_in_the_readers_language() -> None:
    edit = correct(parts=(PartCorrection("drums", left_out=True),))
    sheet = engrave(play(), language=Language.RU, **edit)
    assert [(part.id, part.name) for part in sheet.parts] == [
        ("vocals", "Вокал"),
        ("piano", "Фортепиано"),
    ]


@pytest.mark.parametrize("view", View)
def test_pages_are_safe_to_put_into_a_document(view: View) -> None:
    """They name no other host, and bring neither style sheets nor scripts."""
    hostile = "<script>alert(1)</script>&\"'"
    names = correct(parts=(PartCorrection("vocals", name=hostile),))
    sheet = engrave(play(), view, title=hostile, **names)
    for document in (sheet.pages.glyphs, *sheet.pages.pages):
        root = ElementTree.fromstring(document)
        assert root.get("width") in (None, "0")
        for element in root.iter():
            assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in {
                "svg", "g", "path", "use", "text", "tspan", "rect", "polygon", "polyline",
                "ellipse", "defs",
            }  # fmt: skip
            assert not {name for name in element.attrib if name.startswith(("on", "style"))}
            assert element.get("href", "#").startswith("#")
        assert "http" not in document.replace("http://www.w3.org/2000/svg", "")


def test_every_sign_is_defined_once() -> None:
    sheet = engrave(play(), width_px=200)
    used = set(re.findall(r'href="#([^"]*)"', "".join(sheet.pages.pages)))
    defined = re.findall(r' id="([^"]*)"', sheet.pages.glyphs)
    assert used
    assert sorted(defined) == sorted(used)


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("screen", [Screen(200, 80.0), Screen(200, 8.0), Screen(4000, 8.0)])
def test_any_screen_has_a_sheet(view: View, screen: Screen) -> None:
    sheet = engrave_sheet(play(), RenderOptions(view=view), screen, quiet).sheet
    assert [measure.number for measure in sheet.measures] == [1, 2, 3]


def test_a_narrow_screen_has_more_systems() -> None:
    narrow, wide = (engrave(play(), width_px=width) for width in (200, 1440))
    assert len(narrow.pages.pages) > len(wide.pages.pages) == 1


def test_a_sheet_that_was_engraved_is_not_engraved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = engrave(play())

    def fail(*given: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(practice, "engrave_systems", fail)
    assert engrave(play()).pages == sheet.pages


def test_what_the_chat_has_shown_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    music, options = play(bpm=111), RenderOptions(formats=frozenset({Format.PNG}))
    render(music, options, quiet)

    def fail(*given: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(encoded, "encode_musicxml", fail)
    assert engrave(music).notes
    assert engrave(music, width_px=844).notes
    with pytest.raises(AssertionError):
        engrave(music, transpose_semitones=1)


def test_equal_pages_of_other_notes_are_engraved_again() -> None:
    first = engrave(play())
    renamed = replace(play(), parts=tuple(replace(p, id=f"{p.id}2") for p in play().parts))
    assert set(list_ids(first)).isdisjoint(
        name for name in list_ids(engrave(renamed)) if name.startswith("note-")
    )


def test_systems_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(practice, "MAX_PAGES", 1)
    music = place(perform({"vocals": [(k, 1, 60) for k in range(40)]}))
    sheet = engrave(music, width_px=200)
    assert len(sheet.pages.pages) == 1
    assert sheet.notes
    assert all(note.ids for note in sheet.notes)
    assert sheet.clock.positions[-1] == sheet.measures[-1].stop


@pytest.mark.parametrize("stage", [Stage.NOTATION, Stage.ENGRAVING])
def test_engraving_can_be_cancelled(stage: Stage) -> None:
    def cancel(reached: Stage, fraction: float) -> None:
        if reached is stage:
            raise Cancelled("nobody waits for it")

    music = place(perform({"vocals": [(0, 1, 61), (1, 1, 63)]}))
    with pytest.raises(Cancelled):
        engrave_sheet(music, RenderOptions(), Screen(), cancel)
