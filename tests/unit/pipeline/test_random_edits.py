"""Any edits of notes and chords give pages that can be read, and lose no note that is untouched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference_service.errors import InvalidCorrections
from inference_service.midi.writer import encode_performance, encode_score
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
from inference_service.music.events import Key, Transcription, name_notes
from inference_service.music.score import Score
from inference_service.notation.arrange import arrange
from inference_service.notation.chart import build_chart, encode_chart
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import WrittenPerformance
from inference_service.notation.roll import draw_roll
from inference_service.notation.views import View
from inference_service.pipeline.correct import correct
from inference_service.pipeline.options import Pitches, RenderOptions
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.written import write_corrected
from tests.factories import perform, place, sing_flat
from tests.unit.notation.test_musicxml import validate

BARS = 3


def play(*, is_placed: bool, signature: str = "4/4") -> Transcription:
    """A song of three bars: triplets, held and short notes, and a voice that overlaps itself."""
    third = 1 / 3
    vocals = [(0, 1, 67), (1, 0.5, 69), (1.5, 0.5, 69), (2, third, 71), (2 + third, third, 72),
              (2 + 2 * third, third, 72), (3, 2.25, 74), (5, 0.75, 62), (5.75, 0.25, 76),
              (7, 1.75, 72), (7, 0.25, 60), (8.5, 1.5, 71), (10.25, 0.75, 76),
              (10.75, 0.25, 66)]  # fmt: skip
    piano = [(0, 4, 43), (0, 1, 59), (0, 1, 62), (1, 1, 62), (2, 1, 59), (2, 0.5, 65),
             (2.5, 0.5, 64), (4, 2, 48), (4, 3, 64), (6, 1, 48), (8, 4, 50), (8, 0.5, 66),
             (8.5, 0.5, 69), (9, 1, 66)]  # fmt: skip
    drums = [(beat, 0.25, 36 + 2 * (beat % 2)) for beat in range(4 * BARS)]
    chords = [(0, 4, "G:maj"), (4, 8, "C:maj7"), (8, 12, "D:7/3")]
    heard = perform(
        {"vocals": vocals, "piano": piano, "drums": drums},
        time_signature=signature,
        key=Key("G", "major"),
        chords=chords,
    )
    heard = sing_flat(heard, [1, 4])
    return place(heard) if is_placed else heard


HEARD = [note.id for part in name_notes(play(is_placed=True)).parts for note in part.notes]
NOTES = st.one_of(
    st.sampled_from([name for name in HEARD if name.startswith("vocals")]),
    st.sampled_from([name for name in HEARD if name.startswith("piano")]),
    st.sampled_from(HEARD),
    st.sampled_from(HEARD).map(lambda name: f"{name}/1"),
    st.sampled_from(["vocals+1", "piano+1", "vocals:3/1/1", "vocals:99", "theremin:0"]),
)
QUARTERS = st.sampled_from([Fraction(n, d) for n in (1, 2, 3, 5, 7) for d in (1, 2, 3, 4, 8, 12)])
TIMES = st.floats(-1, 8)
SPELLINGS = st.sampled_from([None, *Spelling])
EDITS: st.SearchStrategy[ScoreEdit] = st.one_of(
    st.builds(MoveNote, NOTES, st.sampled_from([-9, -1, 1, 2, 14])),
    st.builds(MoveNote, NOTES, st.just(0), st.sampled_from([-36, -12, -1, 1, 2, 12])),
    st.builds(SetPitch, NOTES, st.integers(0, 127), SPELLINGS),
    st.builds(SetDuration, NOTES, QUARTERS),
    st.builds(DeleteNote, NOTES),
    st.builds(SplitNote, NOTES, st.one_of(st.none(), QUARTERS)),
    st.builds(JoinNote, NOTES),
    st.builds(
        AddNote,
        st.sampled_from(["vocals", "piano", "drums", "theremin"]),
        TIMES,
        QUARTERS,
        st.integers(30, 100),
        SPELLINGS,
        st.sampled_from([None, 1, 2]),
    ),
    st.builds(SetChord, TIMES, st.just(""), st.sampled_from(["A:min7", "F#:7/b7", "N", "Q", "Bb"])),
    st.builds(DeleteChord, TIMES),
)
LISTS = st.lists(EDITS, min_size=1, max_size=12)
OTHERS = st.sampled_from(
    [
        Corrections(),
        Corrections(time_signature="3/4"),
        Corrections(time_signature="12/8"),
        Corrections(beat_scale=Fraction(1, 2)),
        Corrections(beat_scale=Fraction(3)),
        Corrections(first_beat=Fraction(2)),
        Corrections(finest_value=FinestValue.EIGHTH),
        Corrections(key=Key("Ab", "minor")),
        Corrections(bars=BarRange(2, 3)),
        Corrections(parts=(PartCorrection("vocals", left_out=True),)),
    ]
)


def write(
    heard: Transcription, corrections: Corrections, pitches: Pitches = Pitches.MEANT
) -> WrittenPerformance:
    return write_corrected(correct(replace(heard, corrections=corrections)), pitches, "")


def check_bars(musicxml: bytes) -> None:
    """Check that no bar is longer or shorter than its metre or its pickup, whatever its voices."""
    root = ElementTree.fromstring(musicxml)
    lengths: list[list[Fraction]] = []
    for part in root.iter("part"):
        divisions = 1
        lengths.append([])
        for measure in part.iter("measure"):
            divisions = int(measure.findtext("attributes/divisions") or divisions)
            here = furthest = 0
            for element in measure:
                duration = int(element.findtext("duration") or 0)
                is_chord = element.find("chord") is not None
                if element.tag == "backup":
                    here -= duration
                elif element.tag in ("note", "forward") and not is_chord:
                    here += duration
                assert here >= 0
                furthest = max(furthest, here)
            lengths[-1].append(Fraction(furthest, divisions))
    assert all(a == b for a, b in pairwise(lengths)), "bars of parts differ"
    beats = root.findtext("part/measure/attributes/time/beats")
    unit = root.findtext("part/measure/attributes/time/beat-type")
    usual = Fraction(4 * int(beats or 4), int(unit or 4))
    if len(root.findall(".//time")) == len(lengths):  # no bar has a metre of its own
        assert all(length == usual for length in lengths[0][1:-1])


def draw(score: Score, view: View) -> bytes:
    if view is View.CHORDS:
        return encode_chart(build_chart(score))
    arranged = arrange(score, view)
    for part in arranged.parts:
        for note in part.notes:
            assert note.duration_beats > 0 or note.grace
    encode_score(arranged)
    return encode_musicxml(arranged)


@pytest.mark.parametrize("is_placed", [True, False])
@settings(max_examples=30)
@given(LISTS, OTHERS, st.sampled_from(list(View)), st.sampled_from(list(Pitches)))
@example([DeleteNote("drums:11")], Corrections(), View.FULL, Pitches.MEANT)
def test_any_edits_give_pages(
    is_placed: bool, edits: list[ScoreEdit], others: Corrections, view: View, pitches: Pitches
) -> None:
    heard = play(is_placed=is_placed)
    written = write(heard, replace(others, edits=tuple(edits)), pitches)
    musicxml = draw(written.score, view)
    validate(musicxml)
    check_bars(musicxml)
    excerpt = written.cut(written.performance)
    encode_performance(excerpt)
    draw_roll(excerpt)
    again = write(heard, replace(others, edits=written.edits), pitches)
    assert again.score == written.score, "what is kept of the edits means the same"


@pytest.mark.parametrize("is_placed", [True, False])
@settings(max_examples=60)
@given(LISTS)
def test_untouched_notes_stay(is_placed: bool, edits: list[ScoreEdit]) -> None:
    heard = play(is_placed=is_placed)
    before = arrange(write(heard, Corrections()).score, View.FULL)
    after = arrange(write(heard, Corrections(edits=tuple(edits))).score, View.FULL)
    touched = {getattr(edit, "note", "") for edit in edits}
    is_delayed = any(isinstance(edit, SetDuration) for edit in edits)
    is_joined = any(isinstance(edit, JoinNote) for edit in edits)
    for part, edited in zip(before.parts, after.parts, strict=True):
        places = {(note.start_beats, note.pitch) for note in edited.notes}
        pitches = {note.id: note.pitch for note in edited.notes}
        for note in part.notes:
            if note.id in touched or is_joined:
                continue
            is_kept = (note.start_beats, note.pitch) in places
            assert is_kept or (is_delayed and pitches.get(note.id) == note.pitch), note


def ask(heard: Transcription, edit: Edit, pitches: Pitches) -> Transcription:
    return make_absolute(heard, RenderOptions(edit=edit, pitches=pitches)).amend(heard)


@settings(max_examples=30)
@given(LISTS, st.sampled_from(list(Pitches)))
def test_one_after_another_is_all_at_once(edits: Sequence[ScoreEdit], pitches: Pitches) -> None:
    heard = play(is_placed=True)
    state = heard
    for edit in edits:
        wanted = Corrections(edits=(*state.corrections.edits, edit))
        with suppress(InvalidCorrections):
            state = ask(state, Edit(wanted), pitches)
    kept = state.corrections.edits
    if kept:
        assert ask(heard, Edit(Corrections(edits=kept)), pitches) == state
    for shown in Pitches:
        assert write(heard, state.corrections, shown).edits == kept
