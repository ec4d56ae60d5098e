"""A performance with a recording of it, served as a practice page by the real service and bot."""

from __future__ import annotations

import math
import shutil
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final, cast

import numpy as np

from bot.practice.built import Built
from inference_service.audio.waveform import Waveform
from inference_service.music.events import Beat, Key, NoteEvent, Transcription
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import StageSet
from inference_service.pipeline.transcribe import OnPreset
from inference_service.progress import Progress, Stage
from inference_service.settings import Settings
from tests.bot.practice.conftest import House, build_house
from tests.bot.service import FakeService
from tests.conftest import ROOT
from tests.factories import RATE_HZ, encode_audio, perform, place
from tests.service.running import HeldPipeline, build_settings, last, messages, run_service

STATIC: Final = ROOT / "bot" / "practice" / "static"
BARS: Final = 24
BEATS: Final = 4 * BARS
BEAT_S: Final = 0.5
_people = count(1000)
TUNE: Final = (67, 69, 71, 72, 74, 72, 71, 69)


def breathe(time_s: float) -> float:
    """Return when a player with a free tempo arrives where an even one is at a time."""
    return 0.4 + time_s + 0.35 * math.sin(time_s / 3)


def build_performance() -> Transcription:
    """Return short notes on each beat, every other one over a bass, in a breathing tempo."""
    notes = [(float(beat), 0.5, TUNE[beat % len(TUNE)]) for beat in range(BEATS)]
    bass = [(float(beat), 0.5, 48) for beat in range(0, BEATS, 2)]
    even = perform(
        {"piano": notes + bass},
        bpm=60 / BEAT_S,
        key=Key("G", "major"),
        chords=[(0.0, float(BEATS), "G:maj")],
    )
    return breathe_freely(even)


def breathe_freely(even: Transcription) -> Transcription:
    """Return an even performance as it is played in a breathing tempo, with its placements."""

    def play(note: NoteEvent) -> NoteEvent:
        return replace(note, onset_s=breathe(note.onset_s), offset_s=breathe(note.offset_s))

    return place(
        replace(
            even,
            duration_s=breathe(even.duration_s),
            beats=tuple(Beat(breathe(beat.time_s), beat.position) for beat in even.beats),
            chords=tuple(
                replace(c, start_s=breathe(c.start_s), end_s=breathe(c.end_s)) for c in even.chords
            ),
            parts=tuple(replace(part, notes=tuple(map(play, part.notes))) for part in even.parts),
            preset="piano",
        )
    )


def record(performance: Transcription) -> bytes:
    """Return the performance as clicks at its onsets, in Ogg Opus."""
    samples = np.zeros(math.ceil((performance.duration_s + 1) * RATE_HZ), np.float32)
    time_s = np.arange(round(0.04 * RATE_HZ)) / RATE_HZ
    click = 0.8 * np.exp(-time_s / 0.006) * np.sin(2 * np.pi * 1000 * time_s)
    for onset_s in {note.onset_s for note in performance.parts[0].notes}:
        start = round(onset_s * RATE_HZ)
        samples[start : start + len(click)] = click
    return encode_audio(samples, "ogg-opus")


class PerformedPipeline(HeldPipeline):
    """A pipeline that hears what was performed in any recording."""

    def __init__(self, settings: Settings, performance: Transcription) -> None:
        super().__init__(settings)
        self.performance = performance
        self.stems = {"recording": record(performance)}

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        kept: MutableMapping[str, bytes],
        on_preset: OnPreset | None = None,
    ) -> Transcription:
        """Return the performance."""
        progress(Stage.TAGGING, 1.0)
        kept.update(self.stems)
        return self.performance


@dataclass(frozen=True, slots=True)
class Practised:
    """A page that can be opened.

    Attributes
    ----------
    house : House
        The bot that serves it.
    result_id : str
    performance : Transcription
        What the recording has.
    """

    house: House
    result_id: str
    performance: Transcription

    @property
    def onsets_s(self) -> list[float]:
        """When the notes of the recording begin, in order."""
        return sorted({note.onset_s for note in self.performance.parts[0].notes})

    def address(self, title: str = "Scales in G") -> str:
        """The address of the page for somebody who has changed nothing yet."""
        person = next(_people)
        token = self.house.token(
            result_id=self.result_id, view_code="f", person_id=person, chat_id=person, title=title
        )
        return f"{self.house.url}#link={token}"


def copy_page(folder: Path) -> Path:
    """Copy the built page, with an audio worklet that listens to it; return the folder."""
    shutil.copytree(STATIC, folder)
    shutil.copy(Path(__file__).with_name("onsets.js"), folder / "assets")
    return folder


@asynccontextmanager
async def serve_practice(
    folder: Path, performance: Transcription | None = None
) -> AsyncIterator[Practised]:
    """Start the service and the bot's page, and transcribe a recording."""
    performance = performance or build_performance()
    settings = build_settings(folder)
    pipeline = PerformedPipeline(settings, performance)
    async with run_service(settings, use_cases=pipeline) as running:
        call = running.transcription.Transcribe(iter(messages(b"song", title="Scales in G")))
        result_id = (await last(call)).result.result_id
        service = (cast("FakeService", None), f"127.0.0.1:{running.service.port}")
        async with build_house(service, Built(copy_page(folder / "static"))) as house:
            yield Practised(house, result_id, performance)
