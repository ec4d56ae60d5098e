"""The files of a continuation."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import pypdf
import pytest

from inference_service.continuation.compose import continue_music
from inference_service.continuation.options import ContinuationOptions
from inference_service.errors import InvalidOptions, NothingToContinue, PreviewUnavailable
from inference_service.midi.preview import Synthesizer
from inference_service.music.events import Key, Transcription
from inference_service.notation.views import View
from inference_service.pipeline import continuation
from inference_service.pipeline.continuation import continue_score, continue_transcription
from inference_service.pipeline.options import ContinueOptions, Format, Pitches, RenderOptions
from inference_service.pipeline.remembered import Remembered
from inference_service.progress import Report, Stage, ignore
from tests.factories import perform, sing_flat
from tests.unit.continuation.songs import build_song


@pytest.fixture
def heard() -> Transcription:
    """Return eight bars of a melody with chords."""
    tune = [0, 2, 4, 2, 0, 4, 7, 4, 5, 4, 2, 0, 2, 5, 2, 7]
    names = ["C:maj", "A:min", "F:maj", "G:maj"]
    return perform(
        {
            "vocals": [(2 * k, 2.0, 60 + step) for k, step in enumerate(tune)],
            "piano": [(4 * k, 4.0, (48, 45, 41, 43)[k % 4]) for k in range(8)],
        },
        key=Key("C", "major"),
        chords=[(4 * k, 4 * k + 4, names[k % 4]) for k in range(8)],
    )


def ask(*formats: Format, title: str = "", view: View = View.FULL, **music: int) -> ContinueOptions:
    """Return options of a very short search."""
    quick = {"measures": 4, "population": 6, "generations": 2, **music}
    return ContinueOptions(
        ContinuationOptions(**quick),  # type: ignore[arg-type]
        RenderOptions(view=view, formats=frozenset(formats), title=title),
    )


def measures(musicxml: bytes) -> int:
    """Return the number of measures of the first part."""
    return musicxml.split(b"</part>")[0].count(b"<measure ")


def test_other_pages_and_files_are_of_the_same_search(
    heard: Transcription, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[ContinuationOptions] = []

    def count(score: Any, melody: Any, options: ContinuationOptions, report: Report) -> Any:
        searches.append(options)
        return continue_music(score, melody, options, report)

    monkeypatch.setattr(continuation, "continue_music", count)
    monkeypatch.setattr(continuation, "_COMPOSED", Remembered())
    asked = [
        ask(Format.MUSICXML),
        ask(Format.MUSICXML, Format.MIDI),
        ask(Format.MUSICXML, view=View.LEAD_SHEET),
    ]
    first, again, lead = (continue_transcription(heard, one, ignore_all) for one in asked)
    assert len(searches) == 1
    assert first.artifacts[0] == again.artifacts[0] != lead.artifacts[0]
    continue_transcription(heard, ask(Format.MUSICXML, seed=1), ignore_all)
    other = replace(heard, key=Key("A", "minor"))
    continue_transcription(other, ask(Format.MUSICXML), ignore_all)
    assert len(searches) == 3


def ignore_all(stage: Stage, fraction: float) -> None:
    """Ignore progress."""


def test_what_was_heard_goes_on(heard: Transcription) -> None:
    stages: list[tuple[Stage, float]] = []
    asked = ask(Format.PNG, Format.PDF, Format.MUSICXML, Format.MIDI, title="A tune")
    rendering = continue_transcription(heard, asked, lambda *report: stages.append(report))
    made = {artifact.name: artifact.data for artifact in rendering.artifacts}
    assert list(made) == [
        "continuation-1.png",
        "continuation.pdf",
        "continuation.musicxml",
        "continuation.mid",
    ]
    assert "A tune" in pypdf.PdfReader(io.BytesIO(made["continuation.pdf"])).pages[0].extract_text()
    assert measures(made["continuation.musicxml"]) == 4 + 4
    assert mido.MidiFile(file=io.BytesIO(made["continuation.mid"])).length > 8 * 1.5
    assert {stage for stage, _ in stages} == {Stage.CONTINUATION, Stage.NOTATION, Stage.ENGRAVING}
    assert stages[0] == (Stage.CONTINUATION, 0.0)
    assert stages[-1] == (Stage.ENGRAVING, 1.0)
    assert all(0.0 <= fraction <= 1.0 for _, fraction in stages)


def test_alternatives_have_names_of_their_own(heard: Transcription) -> None:
    asked = ask(Format.MIDI, Format.MUSICXML, alternatives=2, context_measures=0)
    made = continue_transcription(heard, asked, ignore_stage).artifacts
    assert [artifact.name for artifact in made] == [
        "continuation.musicxml",
        "continuation.mid",
        "continuation-b.musicxml",
        "continuation-b.mid",
        "continuation-c.musicxml",
        "continuation-c.mid",
    ]
    written = [artifact.data for artifact in made if artifact.name.endswith(".mid")]
    assert len(set(written)) == 3
    assert measures(made[0].data) == 4


def test_the_same_seed_writes_the_same_and_another_another(heard: Transcription) -> None:
    first, again, other = (
        continue_transcription(heard, ask(Format.MIDI, seed=seed), ignore_stage).artifacts[0].data
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_views_and_transposition_hold_for_the_new_bars(heard: Transcription) -> None:
    asked = ask(Format.MUSICXML, view=View.LEAD_SHEET)
    made = continue_transcription(heard, asked, ignore_stage).artifacts[0].data
    assert made.count(b"<score-part ") == 1
    assert made.count(b"<harmony") >= 8


def test_a_chord_sheet_goes_on_with_its_melody_if_there_is_one(heard: Transcription) -> None:
    asked = ask(Format.MUSICXML, view=View.CHORDS)
    sung = continue_transcription(heard, asked, ignore_stage).artifacts[0].data
    assert sung.count(b"<harmony") >= 8
    assert b">Vocals<" in sung
    assert sung.count(b"<pitch>") >= 8
    band = replace(heard, parts=heard.parts[1:])
    chart = continue_transcription(band, asked, ignore_stage).artifacts[0].data
    assert chart.count(b"<harmony") >= 8
    assert b">Vocals<" not in chart


@pytest.mark.parametrize(("pitches", "flat"), [(Pitches.MEANT, 65), (Pitches.SUNG, 64)])
def test_the_given_bars_have_the_pitches_asked_for(
    heard: Transcription, pitches: Pitches, flat: int
) -> None:
    asked = ask(Format.MIDI, view=View.MELODY)
    asked = replace(asked, render=replace(asked.render, pitches=pitches))
    rendering = continue_transcription(sing_flat(heard, [13]), asked, ignore_stage)
    played = mido.MidiFile(file=io.BytesIO(rendering.artifacts[0].data))
    notes = [m.note for m in played if m.type == "note_on" and m.velocity]
    assert notes[:8] == [65, 64, 62, 60, 62, flat, 62, 67]
    assert rendering.shown.sung_differs


def test_a_score_keeps_its_title_unless_one_is_asked_for() -> None:
    song = build_song()
    for title, shown in (("", b"Song"), ("Other", b"Other")):
        made = continue_score(song, ask(Format.MUSICXML, title=title), ignore_stage)[0].data
        assert shown in made
    assert measures(made) == 4 + 4


def test_the_sound_is_that_of_the_written_bars(heard: Transcription) -> None:
    class Echo(Synthesizer):
        def require(self) -> tuple[str, Path]:
            return "echo", Path()

        def play(self, midi: bytes, report: Report = ignore) -> bytes:
            return midi

    asked = ask(Format.PREVIEW, Format.MIDI)
    made = continue_transcription(heard, asked, ignore_stage, Echo()).artifacts
    assert [artifact.name for artifact in made] == ["continuation.ogg", "continuation.mid"]
    assert made[0].data == made[1].data


def test_nothing_is_composed_for_a_machine_that_cannot_play(
    heard: Transcription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuation, "continue_music", None)
    mute = Synthesizer(Path("none.sf2"))
    with pytest.raises(PreviewUnavailable):
        continue_transcription(heard, ask(Format.PREVIEW), ignore_stage, mute)


def test_no_music_does_not_go_on() -> None:
    silence = perform({"vocals": []}, key=Key("C", "major"), chords=[])
    with pytest.raises(NothingToContinue):
        continue_transcription(silence, ask(Format.MIDI), ignore_stage)


def test_who_reports_may_stop_the_search(heard: Transcription) -> None:
    class StoppedError(Exception):
        pass

    def stop(stage: Stage, fraction: float) -> None:
        if fraction > 0.0:
            raise StoppedError

    with pytest.raises(StoppedError):
        continue_transcription(heard, ask(Format.MIDI), stop)


@pytest.mark.parametrize("impossible", [Format.JSON, Format.ROLL, Format.STEMS])
def test_some_formats_need_a_performance(impossible: Format) -> None:
    with pytest.raises(InvalidOptions) as raised:
        ask(Format.MIDI, impossible)
    assert raised.value.params["option"] == "formats"


def ignore_stage(stage: Stage, fraction: float) -> None:
    """Ignore progress."""
