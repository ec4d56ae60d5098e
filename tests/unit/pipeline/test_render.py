"""The files of a transcription."""

from __future__ import annotations

import io
from typing import Any, ClassVar

import mido
import pypdf
import pytest

from inference_service.midi.preview import Synthesizer
from inference_service.music.events import Key, Transcription
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import Format, RenderOptions
from inference_service.pipeline.render import render
from inference_service.progress import Report, Stage, ignore
from tests.factories import perform


@pytest.fixture
def song() -> Transcription:
    return perform(
        {"vocals": [(k, 1.0, 60 + k % 5) for k in range(16)], "piano": [(0, 16.0, 48)]},
        key=Key("C", "major"),
        chords=[(0, 4, "C:maj7/3"), (4, 8, "F:sus4"), (8, 12, "F:maj"), (12, 16, "G:13")],
    )


def files(transcription: Transcription, options: RenderOptions) -> dict[str, bytes]:
    def progress(stage: Stage, fraction: float) -> None:
        assert stage in (Stage.NOTATION, Stage.ENGRAVING)
        assert 0.0 <= fraction <= 1.0

    rendering = render(transcription, options, progress)
    return {artifact.name: artifact.data for artifact in rendering.artifacts}


def only(*formats: Format, **options: Any) -> RenderOptions:
    return RenderOptions(formats=frozenset(formats), title="Title", **options)


@pytest.mark.parametrize("view", list(View))
def test_every_view_has_pages_midi_and_musicxml(song: Transcription, view: View) -> None:
    wanted = only(Format.PNG, Format.PDF, Format.MIDI, Format.MUSICXML, view=view)
    made = files(song, wanted)
    assert next(iter(made)) == "score-1.png"
    assert {"score.pdf", "score.musicxml", "score.mid", "performance.mid"} < set(made)
    assert "Title" in pypdf.PdfReader(io.BytesIO(made["score.pdf"])).pages[0].extract_text()


def test_a_chord_sheet_is_played_as_chords(song: Transcription) -> None:
    made = files(song, only(Format.MIDI, view=View.CHORDS))
    (track,) = mido.MidiFile(file=io.BytesIO(made["score.mid"])).tracks[1:]
    struck = [m.note for m in track if m.type == "note_on"]
    assert len(struck) > 4 * 3
    assert struck[0] % 12 == 4, "the bass first"


def test_chords_are_simplified_on_demand(song: Transcription) -> None:
    full = files(song, only(Format.MUSICXML, view=View.LEAD_SHEET))["score.musicxml"]
    simple = files(song, only(Format.MUSICXML, view=View.LEAD_SHEET, simple_chords=True))
    assert full.count(b"<harmony") == 4
    assert full.count(b"<bass>") == 1
    assert simple["score.musicxml"].count(b"<harmony") == 3
    assert b"<bass>" not in simple["score.musicxml"]
    assert b"dominant-13th" not in simple["score.musicxml"]


@pytest.mark.parametrize(("paper", "width"), [(Paper.A4, 595), (Paper.LETTER, 612)])
@pytest.mark.parametrize("view", [View.FULL, View.CHORDS])
def test_the_pdf_has_the_paper_asked_for(
    song: Transcription, paper: Paper, width: int, view: View
) -> None:
    made = files(song, only(Format.PDF, paper=paper, view=view))
    (page,) = pypdf.PdfReader(io.BytesIO(made["score.pdf"])).pages
    assert round(float(page.mediabox.width)) == width


def test_the_roll_shows_what_the_score_does(song: Transcription) -> None:
    plain = files(song, only(Format.ROLL))["roll.png"]
    assert plain == files(song, only(Format.ROLL, view=View.MELODY))["roll.png"]
    assert plain != files(song, only(Format.ROLL, transpose_semitones=2))["roll.png"]
    assert plain != files(song, only(Format.ROLL, simple_chords=True))["roll.png"]


class Recorder(Synthesizer):
    """Records the MIDI files to play."""

    played: ClassVar[list[bytes]] = []

    def play(self, midi: bytes, report: Report = ignore) -> bytes:
        self.played.append(midi)
        report(0.5)
        return b"sound"


def test_the_preview_plays_the_score(song: Transcription) -> None:
    options = only(Format.PREVIEW, Format.MIDI, view=View.CHORDS)
    rendering = render(song, options, lambda stage, fraction: None, Recorder())
    made = {artifact.name: artifact for artifact in rendering.artifacts}
    assert made["preview.ogg"].data == b"sound"
    assert made["preview.ogg"].media_type == "audio/ogg"
    assert Recorder.played == [made["score.mid"].data]


def test_no_preview_unless_asked_for(song: Transcription) -> None:
    made = files(song, RenderOptions())
    assert {"roll.png", "score.pdf", "result.json"} < set(made)
    assert "preview.ogg" not in made
