"""The names of heard notes, from the performance to the noteheads of its pages."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from inference_service.music.corrections import BarRange, Corrections, FinestValue, PartCorrection
from inference_service.music.events import Transcription, name_notes
from inference_service.music.score import ScoreNote, transpose_score
from inference_service.music.serialization import decode_transcription, encode_transcription
from inference_service.notation.arrange import arrange
from inference_service.notation.engrave import engrave
from inference_service.notation.musicxml import encode_musicxml, head_id
from inference_service.notation.quantize import write_performance
from inference_service.notation.views import View
from inference_service.pipeline.correct import correct
from tests.factories import perform, place

VIEWS = [view for view in View if view is not View.CHORDS]


def play() -> Transcription:
    """Two bars: a held note, chords, drums, and a part whose id cannot stand in XML."""
    return place(
        perform(
            {
                "vocals": [(0, 1, 67), (1, 1, 69), (2, 4, 71), (6, 2, 67)],
                "electric guitar": [(0, 4, 43), (0, 4, 62), (4, 4, 48), (4, 4, 64)],
                "drums": [(beat, 0.25, 36 + 2 * (beat % 2)) for beat in range(8)],
            }
        )
    )


def write(music: Transcription, view: View = View.FULL, semitones: int = 0) -> list[ScoreNote]:
    written = write_performance(correct(music).performance, "").score
    shown = arrange(transpose_score(written, semitones), view)
    return [note for part in shown.parts for note in part.notes]


def test_notes_are_named_after_their_part_and_place() -> None:
    named = name_notes(play())
    assert [note.id for note in named.parts[0].notes] == [f"vocals:{k}" for k in range(4)]


def test_names_are_not_part_of_the_result() -> None:
    named = name_notes(play())
    read = decode_transcription(encode_transcription(named))
    assert read == named
    assert {note.id for part in read.parts for note in part.notes} == {""}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("semitones", [0, -3])
def test_written_notes_have_the_name_of_the_heard_note(view: View, semitones: int) -> None:
    heard = {note.id: note for part in name_notes(play()).parts for note in part.notes}
    drums = {note.id for note in name_notes(play()).parts[2].notes}
    written = write(play(), view, semitones)
    assert all(note.id for note in written)
    for note in written:
        moved = heard[note.id].pitch + (0 if note.id in drums else semitones)
        octaves = (note.pitch - moved) % 12 if view is View.PIANO else note.pitch - moved
        assert octaves == 0
    assert {"vocals:0", "vocals:3"} <= {note.id for note in written}


def test_names_stay_through_corrections() -> None:
    corrections = Corrections(
        time_signature="3/4",
        finest_value=FinestValue.QUARTER,
        parts=(PartCorrection("drums", left_out=True),),
        bars=BarRange(2, 2),
    )
    corrected = replace(play(), corrections=corrections)
    named = {note.id: note.pitch for note in write(corrected)}
    assert named == {"electric guitar:2": 48, "electric guitar:3": 64}


def test_ornaments_keep_their_own_names() -> None:
    music = place(perform({"vocals": [(0.9, 0.1, 69), (1, 1, 67), (2, 2, 65)]}))
    (placed,) = music.placements
    ornament = replace(placed[0], is_ornament=True)
    written = write(replace(music, placements=((ornament, *placed[1:]),)))
    assert [(note.id, note.grace) for note in written] == [
        ("vocals:0", 1),
        ("vocals:1", 0),
        ("vocals:2", 0),
    ]


def test_every_notehead_of_a_page_names_its_note() -> None:
    score = arrange(write_performance(correct(play()).performance, "").score, View.FULL)
    musicxml = encode_musicxml(score)
    heads = [note.get("id") for note in ElementTree.fromstring(musicxml).iter("note")]
    named = {head for head in heads if head is not None}
    assert {"note-vocals_3a_2", "note-vocals_3a_2.2"} <= named  # tied over the bar line
    (page,) = engrave(musicxml)
    ids = re.findall(r'<g id="([^"]*)" class="note"', page)
    assert sorted(ids) == sorted(named)
    assert {note.id for part in score.parts for note in part.notes} <= {
        note.id for part in name_notes(play()).parts for note in part.notes
    }


def test_ids_of_noteheads_are_names_in_xml() -> None:
    assert head_id("") == ""
    assert head_id("голос:0") == "note-_433__43e__43b__43e__441__3a_0"
    assert re.fullmatch(r"[a-zA-Z_][\w.-]*", head_id("1/2 <&:7", 3), re.ASCII)
