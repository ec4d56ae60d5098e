"""The files of a transcription."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, ClassVar
from xml.etree import ElementTree

import mido
import pypdf
import pytest

from bot.localchat.images import read_image_info
from inference_service.midi.preview import Synthesizer
from inference_service.music.events import Key, Transcription
from inference_service.notation.names import Language
from inference_service.notation.page import Paper
from inference_service.notation.views import View
from inference_service.pipeline.options import Format, Pitches, RenderOptions
from inference_service.pipeline.render import render
from inference_service.progress import Report, Stage, ignore
from tests.factories import perform, sing_flat


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


def test_a_single_page_is_one_of_all() -> None:
    long = perform({"vocals": [(k, 1.0, 60 + k % 5) for k in range(200)]})

    def pages(page: int) -> list[tuple[str, bytes, int]]:
        made = render(long, only(Format.PNG, page=page), lambda *_: None)
        return [(file.name, file.data, file.page_count) for file in made.artifacts]

    every = pages(0)
    assert len(every) > 1
    assert [name for name, _, _ in every] == [f"score-{k + 1}.png" for k in range(len(every))]
    assert {count for _, _, count in every} == {len(every)}
    assert pages(1) == every[:1]
    assert pages(len(every)) == pages(99) == every[-1:]


@pytest.mark.parametrize("view", list(View))
def test_no_picture_is_so_wide_that_a_chat_would_cut_its_sides(view: View) -> None:
    short = perform({"vocals": [(0, 1.0, 60)]}, chords=[(0, 1, "C:maj")])
    made = files(short, only(Format.PNG, Format.ROLL, view=view))
    for name in ("score-1.png", "roll.png"):
        image = read_image_info(made[name])
        assert image is not None
        assert 1.0 < image.width_px / image.height_px <= 2.2


def test_a_song_with_a_voice_opens_as_a_lead_sheet(song: Transcription) -> None:
    def opened(heard: Transcription, **options: Any) -> View:
        asked = only(Format.MIDI, view=View.PIANO, choose_view=True, **options)
        return render(heard, asked, lambda *_: None).options.view

    assert opened(replace(song, preset="song")) is View.LEAD_SHEET
    assert opened(replace(song, preset="song", parts=song.parts[1:])) is View.FULL
    assert opened(replace(song, preset="piano")) is View.FULL
    assert opened(replace(song, preset="voice", parts=song.parts[:1])) is View.FULL


def test_a_russian_page_has_russian_part_names(song: Transcription) -> None:
    made = files(song, only(Format.PDF, Format.MUSICXML, language=Language.RU))
    names = [e.text for e in ElementTree.fromstring(made["score.musicxml"]).iter("part-name")]
    assert names == ["Вокал", "Фортепиано"]
    text = pypdf.PdfReader(io.BytesIO(made["score.pdf"])).pages[0].extract_text()
    assert "Вокал" in text
    assert "Vocals" not in text
    sheet = files(song, only(Format.PDF, view=View.CHORDS, language=Language.RU))["score.pdf"]
    assert "Тональность: C" in pypdf.PdfReader(io.BytesIO(sheet)).pages[0].extract_text()


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


def test_singers_may_be_shown_as_they_sang(song: Transcription) -> None:
    flat = sing_flat(song, [2, 7])
    formats = (Format.MIDI, Format.MUSICXML, Format.ROLL, Format.JSON)
    meant = files(flat, only(*formats))
    sung = files(flat, only(*formats, pitches=Pitches.SUNG))
    for name, data in files(song, only(*formats)).items():
        if name != "result.json":
            assert meant[name] == data, "nothing but cents differs"
    assert sung["result.json"] == meant["result.json"]
    for name in ("score.mid", "performance.mid"):
        assert struck(meant[name], 60) == [60, 61, 62, 63, 64] * 3 + [60]
        assert struck(sung[name], 60) == [60, 61, 61, 63, 64] * 2 + [60, 61, 62, 63, 64, 60]
        assert struck(sung[name], 0, 59) == struck(meant[name], 0, 59) == [48]
    assert sung["roll.png"] != meant["roll.png"]
    assert sung["score.musicxml"] != meant["score.musicxml"]
    assert sung["score.musicxml"].count(b"<harmony") == meant["score.musicxml"].count(b"<harmony")


def struck(midi: bytes, lowest: int, highest: int = 127) -> list[int]:
    """Return the pitches struck within a range, in order."""
    messages = mido.MidiFile(file=io.BytesIO(midi))
    notes = [m.note for m in messages if m.type == "note_on" and m.velocity]
    return [note for note in notes if lowest <= note <= highest]


def test_the_chord_sheet_is_the_same_as_sung(song: Transcription) -> None:
    formats = (Format.PNG, Format.PDF, Format.MUSICXML)
    flat, view = sing_flat(song, [2, 7]), View.CHORDS
    meant = files(flat, only(*formats, view=view))
    assert files(flat, only(*formats, view=view, pitches=Pitches.SUNG)) == meant


def test_whether_there_is_a_difference_is_said(song: Transcription) -> None:
    for pitches in Pitches:
        options = only(Format.JSON, pitches=pitches)
        for performed, differs in ((song, False), (sing_flat(song, [2]), True)):
            rendering = render(performed, options, lambda stage, fraction: None)
            assert rendering.shown.sung_differs is differs
        nearly = sing_flat(song, range(16), cents=20.0)
        rendering = render(nearly, options, lambda stage, fraction: None)
        assert not rendering.shown.sung_differs


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


@pytest.mark.parametrize("semitones", [0, 3])
def test_the_key_beside_the_pages_is_the_one_they_begin_in(semitones: int) -> None:
    """Twenty bars in G major, which were estimated to be in D major."""
    scale = (67, 69, 71, 72, 74, 76, 78, 79, 78, 76, 74, 72, 71, 69, 67, 67)
    melody = [(k, 1.0, scale[k % 16]) for k in range(80)]
    tune = perform({"vocals": melody}, key=Key("D", "major"))
    options = only(Format.MUSICXML, transpose_semitones=semitones)
    rendering = render(tune, options, lambda stage, fraction: None)
    (page,) = (a.data for a in rendering.artifacts if a.name == "score.musicxml")
    assert rendering.shown.untransposed_key == Key("G", "major")
    assert rendering.shown.key == {0: Key("G", "major"), 3: Key("Bb", "major")}[semitones]
    fifths = ElementTree.fromstring(page).findtext(".//fifths")
    assert fifths == {0: "1", 3: "-2"}[semitones]
