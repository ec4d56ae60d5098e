"""The profile ``tiny``: small deterministic stages that need numpy alone, for tests.

They process real audio without the loading time and memory of real models. They are reliable for
sines and for one harmonic tone at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final

import numpy as np

from inference_service.audio.denoise import Unchanged
from inference_service.audio.waveform import Samples, Waveform, mix
from inference_service.engine.catalog import Catalog, ModelEntry
from inference_service.harmony.as_sung import AsSung
from inference_service.model_files import ModelFiles
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    KeyEstimate,
    NoteEvent,
    Part,
    Rhythm,
    Transcription,
)
from inference_service.music.pitch import build_key, frequency_to_pitch
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import Component, Separator, Tagger, Task
from inference_service.progress import Report
from inference_service.settings import ModelSettings

_MIN_HZ: Final = 60.0
_MAX_HZ: Final = 1500.0
_MIN_PERIODICITY: Final = 0.7
_MIN_NOTE_S: Final = 0.08
_SILENCE_RMS: Final = 1e-3
_TEMPO_BPM: Final = 120.0
_MAJOR: Final = (0, 2, 4, 5, 7, 9, 11)


class MidSideSeparator:
    """Takes the mean of the channels for the voice."""

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return vocals and accompaniment, which sum to the mixture."""
        middle = np.broadcast_to(mixture.mono(), mixture.samples.shape).astype(np.float32)
        report(1.0)
        return {
            "vocals": Waveform(middle, mixture.sample_rate_hz),
            "accompaniment": Waveform(mixture.samples - middle, mixture.sample_rate_hz),
        }


class AutocorrelationTagger:
    """Finds one note at a time, from the highest peak of the autocorrelation.

    Parameters
    ----------
    window_s : float
        Length of a frame; frames do not overlap.
    """

    def __init__(self, window_s: float = 0.04) -> None:
        self._window_s = window_s

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return notes of at least 80 ms."""
        mono = waveform.mono()
        window = round(self._window_s * waveform.sample_rate_hz)
        frames = mono[: len(mono) // window * window].reshape(-1, window)
        pitches: list[int | None] = []
        for index, frame in enumerate(frames):
            if index % 100 == 0:
                report(index / len(frames))
            f0_hz = estimate_f0(frame, waveform.sample_rate_hz)
            pitches.append(
                None if f0_hz is None else round(frequency_to_pitch(f0_hz, tuning_cents))
            )
        report(1.0)
        return self._join(pitches)

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return the notes as one instrument's."""
        notes = self.tag(mix(stems.values()), tuning_cents, report)
        return (Part("accompaniment", "Accompaniment", tuple(notes), 0),) if notes else ()

    def tag_players(
        self, waveform: Waveform, tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return the notes as one instrument's."""
        return self.tag_parts({"mixture": waveform}, tuning_cents, report)

    def _join(self, pitches: Sequence[int | None]) -> list[NoteEvent]:
        notes, start = [], 0
        for pitch, run in groupby(pitches):
            stop = start + len(list(run))
            if pitch is not None and (stop - start) * self._window_s >= _MIN_NOTE_S:
                notes.append(NoteEvent(start * self._window_s, stop * self._window_s, pitch))
            start = stop
        return notes


def estimate_f0(frame: Samples, sample_rate_hz: int) -> float | None:
    """Return a frame's fundamental between 60 and 1500 Hz; None if it is not periodic."""
    if float(np.sqrt(np.mean(frame**2))) < _SILENCE_RMS:
        return None
    spectrum = np.fft.rfft(frame, 2 * len(frame))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(frame)]
    # Fewer samples overlap at longer lags.
    correlation = correlation / correlation[0] * len(frame) / np.arange(len(frame), 0, -1)
    shortest, longest = int(sample_rate_hz / _MAX_HZ), int(sample_rate_hz / _MIN_HZ)
    lags = correlation[shortest : min(longest, len(frame) // 2)]
    peak = float(lags.max(initial=0.0))
    if peak < _MIN_PERIODICITY:
        return None
    # The first lag with a peak near the highest: later ones are its multiples.
    near = int(np.argmax(lags > 0.95 * peak))
    lag = near + int(np.argmax(lags[near : near + max(2, near // 4)])) + shortest
    return sample_rate_hz / lag


class ShareRouter:
    """Takes recordings whose channels differ for songs, and all others for voices."""

    taggers: Mapping[str, Tagger] = MappingProxyType({})

    def classify(
        self, waveform: Waveform, separator: Separator, report: Report
    ) -> Mapping[Preset, float]:
        """Return ``SONG`` or ``VOICE`` as certain."""
        report(1.0)
        apart = np.abs(waveform.samples - waveform.mono()).max(initial=0.0)
        return {Preset.SONG if apart > _SILENCE_RMS else Preset.VOICE: 1.0}


class NoChordEstimator:
    """Finds no chords."""

    def estimate(self, waveform: Waveform, report: Report) -> list[ChordSegment]:
        """Return one segment without a chord."""
        report(1.0)
        return [ChordSegment(0.0, waveform.duration_s, "N")]


class SteadyBeatEstimator:
    """Places a beat every half second from the first note on, in 4/4."""

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return beats that cover the waveform."""
        period_s = 60.0 / _TEMPO_BPM
        start_s = notes[0].onset_s % period_s if notes else 0.0
        count = max(2, int((waveform.duration_s - start_s) / period_s) + 1)
        beats = tuple(Beat(start_s + index * period_s, index % 4 + 1) for index in range(count))
        report(1.0)
        return Rhythm(beats, _TEMPO_BPM, "4/4")


class NoRhythmReader:
    """Estimates no rhythm and places no notes."""

    def estimate(
        self, notes: Sequence[NoteEvent], key: Key, chords: Sequence[ChordSegment] = ()
    ) -> Rhythm | None:
        """Return no rhythm."""
        return None

    def place(self, transcription: Transcription) -> Transcription:
        """Return the transcription unchanged."""
        return transcription


class ScaleKeyEstimator:
    """Chooses the major key whose scale contains the largest total duration of notes."""

    def estimate(
        self,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        waveform: Waveform | None = None,
    ) -> list[KeyEstimate]:
        """Return the key; C major without notes."""
        seconds = np.zeros(12)
        for note in notes:
            seconds[note.pitch % 12] += note.offset_s - note.onset_s
        fits = [sum(seconds[(tonic + step) % 12] for step in _MAJOR) for tonic in range(12)]
        return [KeyEstimate(build_key(int(np.argmax(fits)), "major"), 1.0)]


_STAGES: Final[dict[str, Component]] = {
    "no-denoising": Unchanged(),
    "mid-side": MidSideSeparator(),
    "autocorrelation": AutocorrelationTagger(),
    "autocorrelation-coarse": AutocorrelationTagger(window_s=0.06),
    "as-sung": AsSung(),
    "no-chords": NoChordEstimator(),
    "steady": SteadyBeatEstimator(),
    "no-rhythm": NoRhythmReader(),
    "scale": ScaleKeyEstimator(),
}
_TAGGING: Final = (Task.VOICE, Task.PIANO, Task.SONG)


def build(entry: ModelFiles, settings: ModelSettings) -> Component:
    """Return a stage of the profile; the factory of all its models."""
    return _STAGES[entry.name]


def build_tiny_catalog() -> Catalog:
    """Return the catalogue of the profile."""
    return Catalog(
        profiles={
            "tiny": {
                Task.DENOISING: ("no-denoising",),
                Task.SEPARATION: ("mid-side",),
                **dict.fromkeys(_TAGGING, ("autocorrelation",)),
                Task.PITCH: ("as-sung",),
                Task.CHORDS: ("no-chords",),
                Task.PROGRESSION: ("no-chords",),
                Task.BEATS: ("steady",),
                Task.RHYTHM: ("no-rhythm",),
                Task.KEY: ("scale",),
            }
        },
        models=(
            _entry("no-denoising", Task.DENOISING),
            _entry("mid-side", Task.SEPARATION),
            _entry("autocorrelation", *_TAGGING),
            _entry("autocorrelation-coarse", *_TAGGING),
            _entry("as-sung", Task.PITCH),
            _entry("no-chords", Task.CHORDS, Task.PROGRESSION),
            _entry("steady", Task.BEATS),
            _entry("no-rhythm", Task.RHYTHM),
            _entry("scale", Task.KEY),
        ),
    )


def _entry(name: str, *tasks: Task) -> ModelEntry:
    return ModelEntry(
        name=name,
        version="1",
        tasks=tasks,
        factory=f"{__name__}:build",
        kind="builtin",
        licence="MIT",
        summary="For tests.",
        paper="",
        sample_rate_hz=44_100,
    )
