"""The check on a built-in signal that a model must pass before it is used.

The signal is four seconds of a C major chord, broken and then held, in decaying harmonic tones, in
stereo. The bounds are wide: they detect models that are broken, not models that are inaccurate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import Final, cast

import numpy as np

from inference_service.audio.waveform import Samples, Waveform
from inference_service.music.events import ChordSegment, Key, KeyEstimate, NoteEvent, Rhythm
from inference_service.music.pitch import A4_HZ, A4_PITCH
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import (
    BeatEstimator,
    ChordEstimator,
    Component,
    Denoiser,
    EnsembleTagger,
    KeyEstimator,
    PitchDecoder,
    RhythmReader,
    Router,
    Separator,
    Tagger,
    Task,
)
from inference_service.progress import ignore

SAMPLE_RATE_HZ: Final = 44100
DURATION_S: Final = 4.0
NOTES: Final = tuple(
    NoteEvent(0.5 * step, 0.5 * step + 0.45, pitch) for step, pitch in enumerate((60, 64, 67, 72))
)
"""The broken chord; the second half of the signal holds the whole chord."""
CHORDS: Final = (ChordSegment(0.0, DURATION_S, "C:maj"),)

_HARMONICS: Final = 6
_DECAY_S: Final = 0.8
_MAX_GAIN: Final = 8.0
_ROOT: Final = re.compile(r"N|X|[A-G][#b]*")
_TIME_SIGNATURE: Final = re.compile(r"\d{1,2}/\d{1,2}")


def build_signal() -> Waveform:
    """Return the signal, in stereo, with two slightly different channels."""
    mono = _build_mono()
    return Waveform(np.stack([mono, 0.8 * mono]), SAMPLE_RATE_HZ)


@cache
def _build_mono() -> Samples:
    """Build the signal once for all models: it takes as long as a small model does."""
    mono = np.zeros(round(DURATION_S * SAMPLE_RATE_HZ), dtype=np.float32)
    for note in NOTES:
        _add_tone(mono, note.pitch, note.onset_s, note.offset_s)
        _add_tone(mono, note.pitch, DURATION_S / 2, DURATION_S)
    mono *= 0.5 / float(np.abs(mono).max())
    return mono


def _add_tone(target: Samples, pitch: int, onset_s: float, offset_s: float) -> None:
    start, stop = round(onset_s * SAMPLE_RATE_HZ), round(offset_s * SAMPLE_RATE_HZ)
    time_s = np.arange(stop - start) / SAMPLE_RATE_HZ
    f0_hz = A4_HZ * 2 ** ((pitch - A4_PITCH) / 12)
    tone = sum(
        np.sin(2 * np.pi * f0_hz * harmonic * time_s) / harmonic
        for harmonic in range(1, _HARMONICS + 1)
    )
    ramp = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.01)
    target[start:stop] += (tone * ramp * np.exp(-time_s / _DECAY_S)).astype(np.float32)


def check_component(task: Task, stage: Component) -> None:
    """Run a stage on the signal.

    Raises
    ------
    ValueError
        If the result is not plausible; the text says why.
    Exception
        Any exception of the stage itself.
    """
    signal = build_signal()
    if task is Task.DENOISING:
        _check_cleaned(signal, cast(Denoiser, stage).clean(signal))
    elif task is Task.SEPARATION:
        _check_stems(signal, cast(Separator, stage).separate(signal, ignore))
    elif task is Task.SONG:
        parts = cast(EnsembleTagger, stage).tag_parts({"mixture": signal}, 0.0, ignore)
        _check_notes([note for part in parts if not part.is_drum for note in part.notes])
    elif task in (Task.VOICE, Task.PIANO):
        _check_notes(cast(Tagger, stage).tag(signal, 0.0, ignore))
    elif task is Task.PITCH:
        _check_notes(cast(PitchDecoder, stage).decode(NOTES, None))
    elif task in (Task.CHORDS, Task.PROGRESSION):
        _check_chords(cast(ChordEstimator, stage).estimate(signal, ignore))
    elif task is Task.BEATS:
        _check_rhythm(cast(BeatEstimator, stage).estimate(signal, NOTES, CHORDS, ignore))
    elif task is Task.RHYTHM:
        _check_reading(cast(RhythmReader, stage))
    else:
        _check_keys(cast(KeyEstimator, stage).estimate(NOTES, CHORDS, signal))


def check_router(router: Router, separator: Separator) -> None:
    """Run a router and the models that it listens with on the signal.

    Parameters
    ----------
    router : Router
    separator : Separator
        One that has passed its own check.

    Raises
    ------
    ValueError
        If a model hears something impossible, or nothing.
    Exception
        Any exception of the router itself.
    """
    signal = build_signal()
    for name, tagger in router.taggers.items():
        try:
            _check_notes(tagger.tag(signal, 0.0, ignore))
        except ValueError as error:
            raise ValueError(f"its {name}: {error}") from None
    presets = router.classify(signal, separator, ignore)
    _require(bool(presets) and Preset.AUTO not in presets, f"it chose {list(presets)}")
    total = sum(presets.values())
    _require(math.isclose(total, 1.0, abs_tol=1e-3), f"its probabilities sum to {total}")


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def _check_stems(mixture: Waveform, stems: dict[str, Waveform]) -> None:
    _require("vocals" in stems and len(stems) > 1, f"the stems are {sorted(stems)}")
    peak = float(np.abs(mixture.samples).max())
    for name, stem in stems.items():
        _require(stem.sample_rate_hz == mixture.sample_rate_hz, f"{name} has another rate")
        _require(stem.samples.shape == mixture.samples.shape, f"{name} has another shape")
        _require(bool(np.isfinite(stem.samples).all()), f"{name} holds values that are not finite")
        _require(float(np.abs(stem.samples).max()) < _MAX_GAIN * peak, f"{name} is far too loud")


def _check_cleaned(recording: Waveform, cleaned: Waveform) -> None:
    _require(cleaned.sample_rate_hz == recording.sample_rate_hz, "the rate is another")
    _require(cleaned.samples.shape == recording.samples.shape, "the shape is another")
    _require(bool(np.isfinite(cleaned.samples).all()), "there are values that are not finite")
    _require(float(np.abs(cleaned.samples).max()) > 0, "nothing is left")


def _check_notes(notes: Sequence[NoteEvent]) -> None:
    for note in notes:
        _require(math.isfinite(note.onset_s + note.offset_s), "a note's time is not finite")
        _require(-0.1 <= note.onset_s < note.offset_s, "a note ends before it begins")
        _require(0 <= note.pitch <= 127 and 1 <= note.velocity <= 127, "a note is outside MIDI")
    heard = {note.pitch % 12 for note in notes}
    expected = {note.pitch % 12 for note in NOTES}
    _require(bool(heard & expected), f"heard {len(notes)} notes, none of the chord's")


def _check_chords(chords: Sequence[ChordSegment]) -> None:
    _require(bool(chords), "no segments")
    for chord in chords:
        _require(math.isfinite(chord.start_s + chord.end_s), "a chord's time is not finite")
        _require(chord.start_s < chord.end_s, "a chord ends before it begins")
        _require(_ROOT.match(chord.label) is not None, f"not a chord label: {chord.label!r}")


def _check_reading(reader: RhythmReader) -> None:
    rhythm = reader.estimate(NOTES, Key("C", "major"))
    if rhythm is not None:
        _check_rhythm(rhythm)


def _check_rhythm(rhythm: Rhythm) -> None:
    times_s = [beat.time_s for beat in rhythm.beats]
    _require(bool(times_s) and all(map(math.isfinite, times_s)), "no finite beats")
    _require(times_s == sorted(times_s), "the beats are out of order")
    _require(all(beat.position >= 1 for beat in rhythm.beats), "a beat stands before the bar")
    _require(20 <= rhythm.tempo_bpm <= 400, f"a tempo of {rhythm.tempo_bpm} bpm")
    _require(_TIME_SIGNATURE.fullmatch(rhythm.time_signature) is not None, "no time signature")


def _check_keys(estimates: Sequence[KeyEstimate]) -> None:
    _require(len(estimates) > 0, "no key")
    for estimate in estimates:
        tonic = estimate.key.tonic
        _require(re.fullmatch(r"[A-G][#b]?", tonic) is not None, f"a tonic of {tonic!r}")
        _require(0 <= estimate.probability <= 1, f"a probability of {estimate.probability}")
