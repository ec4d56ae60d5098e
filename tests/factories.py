"""Synthetic audio whose notes are known exactly: tones, melodies, and files of any kind."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from inference_service.audio.waveform import Samples, Waveform
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.music.metre import align
from inference_service.music.placement import NotePlacement

RATE_HZ: Final = 44100
STEMS: Final = ("drums", "bass", "other", "vocals")


def build_tone(
    f_hz: float,
    duration_s: float = 1.0,
    *,
    rate_hz: int = RATE_HZ,
    harmonics: int = 1,
    amplitude: float = 0.3,
) -> Samples:
    """Return a steady tone with harmonics of amplitudes 1, 1/2, 1/3...: shape (N,), float32."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    partials = [k for k in range(1, harmonics + 1) if k * f_hz < rate_hz / 2]
    tone = sum(np.sin(2 * np.pi * k * f_hz * time_s) / k for k in partials)
    return np.asarray(amplitude * tone, dtype=np.float32)


def build_notes(
    notes: Sequence[NoteEvent],
    *,
    rate_hz: int = RATE_HZ,
    harmonics: int = 6,
    tuning_cents: float = 0.0,
    tail_s: float = 0.3,
) -> Waveform:
    """Return a mono waveform of decaying harmonic tones, one at the exact times of each note."""
    length_s = max((note.offset_s for note in notes), default=0.0) + tail_s
    samples = np.zeros(round(length_s * rate_hz), dtype=np.float32)
    for note in notes:
        f_hz = 440.0 * 2.0 ** ((note.pitch - 69 + tuning_cents / 100) / 12)
        duration_s = note.offset_s - note.onset_s
        tone = build_tone(
            f_hz,
            duration_s,
            rate_hz=rate_hz,
            harmonics=harmonics,
            amplitude=0.3 * note.velocity / 127,
        )
        time_s = np.arange(len(tone)) / rate_hz
        attack = np.minimum(time_s / 0.005, 1.0)
        release = np.minimum((duration_s - time_s) / 0.02, 1.0)
        envelope = attack * release * np.exp(-1.5 * time_s)
        start = round(note.onset_s * rate_hz)
        samples[start : start + len(tone)] += tone * envelope.astype(np.float32)
    return Waveform(samples[np.newaxis], rate_hz)


def build_scale(
    pitches: Sequence[int] = (60, 62, 64, 65, 67, 69, 71, 72), note_s: float = 0.5
) -> list[NoteEvent]:
    """Return notes of equal length, one after another."""
    return [
        NoteEvent(k * note_s, (k + 1) * note_s - 0.02, pitch) for k, pitch in enumerate(pitches)
    ]


def build_noise(
    duration_s: float, *, rate_hz: int = RATE_HZ, amplitude: float = 0.1, seed: int = 0
) -> Samples:
    """Return white noise, shape (N,), float32."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal(round(duration_s * rate_hz)) * amplitude
    return noise.astype(np.float32)


@dataclass(frozen=True)
class _Kind:
    """FFmpeg's names for a kind of file."""

    container: str
    codec: str
    sample_format: str
    rate_hz: int | None = None


KINDS: Final = {
    "wav": _Kind("wav", "pcm_s16le", "s16"),
    "wav-float": _Kind("wav", "pcm_f32le", "flt"),
    "flac": _Kind("flac", "flac", "s16"),
    "ogg-opus": _Kind("ogg", "libopus", "flt", 48000),
    "mp3": _Kind("mp3", "libmp3lame", "fltp"),
    "m4a": _Kind("ipod", "aac", "fltp"),
    "webm": _Kind("webm", "libopus", "flt", 48000),
    "mp4": _Kind("mp4", "aac", "fltp"),
    "mov": _Kind("mov", "aac", "fltp"),
}
"""Every kind of file that people send; the last two have a video track."""

_WITH_VIDEO: Final = frozenset({"mp4", "mov"})
_PICTURE_HZ: Final = 5
_LAYOUTS: Final = {1: "mono", 2: "stereo", 6: "5.1"}


def encode_audio(
    samples: NDArray[np.float32], kind: str = "wav", *, rate_hz: int = RATE_HZ, sound: bool = True
) -> bytes:
    """Write a file of one of ``KINDS``.

    Parameters
    ----------
    samples : np.ndarray, shape (N,) or (C, N), C in 1, 2, 6
    kind : str
    rate_hz : int
        Sample rate of ``samples``, and of the file if the codec supports it.
    sound : bool
        False leaves the sound track out, for kinds with a video track.
    """
    described = KINDS[kind]
    channels = np.atleast_2d(samples).astype(np.float32, copy=False)
    target = io.BytesIO()
    with av.open(target, "w", format=described.container) as container:
        # Add every stream before writing anything: the header lists them all.
        picture = container.add_stream("mpeg4", rate=_PICTURE_HZ) if kind in _WITH_VIDEO else None
        layout = _LAYOUTS[len(channels)]
        track = (
            container.add_stream(described.codec, rate=described.rate_hz or rate_hz, layout=layout)
            if sound
            else None
        )
        if isinstance(picture, av.VideoStream):
            _encode_picture(container, picture, channels.shape[1] / rate_hz)
        if isinstance(track, av.AudioStream):
            _encode_sound(container, track, channels, rate_hz, described.sample_format)
    return target.getvalue()


def _encode_sound(
    container: av.container.OutputContainer,
    track: av.AudioStream,
    channels: NDArray[np.float32],
    rate_hz: int,
    sample_format: str,
) -> None:
    resampler = av.AudioResampler(
        sample_format,
        track.layout,
        track.rate,
        frame_size=track.codec_context.frame_size or 4096,
    )
    for start in range(0, channels.shape[1], rate_hz):
        block = np.ascontiguousarray(channels[:, start : start + rate_hz])
        frame = av.AudioFrame.from_ndarray(block, "fltp", track.layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        for converted in resampler.resample(frame):
            container.mux(track.encode(converted))
    for converted in resampler.resample(None):
        container.mux(track.encode(converted))
    container.mux(track.encode(None))


def _encode_picture(
    container: av.container.OutputContainer, picture: av.VideoStream, duration_s: float
) -> None:
    picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
    for number in range(max(1, round(duration_s * _PICTURE_HZ))):
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        image.pts = number
        image.time_base = Fraction(1, _PICTURE_HZ)
        container.mux(picture.encode(image))
    container.mux(picture.encode(None))


def build_tiny_demucs(kind: str = "HTDemucs", sources: Sequence[str] = STEMS) -> Any:
    """Return an untrained Demucs of version 2 ("Demucs"), 3 ("HDemucs") or 4 ("HTDemucs").

    It has 60 thousand parameters and runs at 16 kHz, in stereo, in segments of 1.5 s.
    """
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    common: dict[str, Any] = {
        "channels": 8,
        "dconv_comp": 4,
        "samplerate": 16000,
        "segment": Fraction(3, 2),
    }
    if kind == "Demucs":
        return Demucs(list(sources), depth=3, lstm_layers=1, **common)
    if kind == "HDemucs":
        return HDemucs(list(sources), nfft=1024, depth=4, **common)
    return HTDemucs(list(sources), nfft=1024, depth=3, t_layers=1, t_heads=2, **common)


def save_tiny_demucs(
    folder: Path,
    signature: str = "abcd1234",
    sources: Sequence[str] = STEMS,
    kind: str = "HTDemucs",
) -> Path:
    """Save an untrained Demucs in demucs's own format; return its path."""
    from demucs.states import get_state, save_with_checksum

    model = build_tiny_demucs(kind, sources)
    args, kwargs = model._init_args_kwargs
    package = {
        "klass": type(model),
        "args": args,
        "kwargs": kwargs,
        "state": get_state(model, None, half=True),
        "training_args": {},
    }
    save_with_checksum(package, folder / f"{signature}.th")
    return next(folder.glob(f"{signature}-*.th"))


def publish_demucs(checkpoint: Path, **metadata: str) -> Path:
    """Write beside a checkpoint the file that demucs publishes on the hub; return its path."""
    import torch
    from safetensors.torch import save_file

    package = torch.load(checkpoint, "cpu", weights_only=False)
    described = {
        "klass": f"{package['klass'].__module__}.{package['klass'].__qualname__}",
        "args": json.dumps(package["args"]),
        "kwargs": json.dumps(package["kwargs"], default=_encode_fraction),
    }
    target = checkpoint.with_name(checkpoint.stem.partition("-")[0] + ".safetensors")
    save_file(dict(package["state"]), target, described | metadata)
    return target


def _encode_fraction(value: Fraction) -> dict[str, int | str]:
    return {
        "_type": "fraction",
        "numerator": value.numerator,
        "denominator": value.denominator,
    }


def perform(
    parts: Mapping[str, Sequence[tuple[float, float, int]]],
    *,
    bpm: float = 120.0,
    time_signature: str = "4/4",
    key: Key = Key("C", "major"),  # noqa: B008 - immutable
    chords: Sequence[tuple[float, float, str]] = (),
    pickup_beats: int = 0,
    jitter_s: float = 0.0,
    seed: int = 0,
) -> Transcription:
    """Return a performance of written notes, given by part as (start, duration, pitch) in beats.

    The part "vocals" is sung, "drums" is a drum kit, and any other a piano. Beat 0 is the first
    beat; ``pickup_beats`` beats come before the first downbeat. ``jitter_s`` is the standard
    deviation of the onsets.
    """
    generator = random.Random(seed)
    beat_s = 60.0 / bpm
    per_bar = int(time_signature.split("/")[0])

    def play(start: float, duration: float, pitch: int) -> NoteEvent:
        onset_s = max(start * beat_s + generator.gauss(0.0, jitter_s), 0.0)
        return NoteEvent(onset_s, max((start + duration) * beat_s, onset_s + 0.02), pitch)

    played = tuple(
        Part(
            name,
            name.title(),
            tuple(sorted(play(*note) for note in notes)),
            {"vocals": 52, "drums": None}.get(name, 0),
            name == "drums",
        )
        for name, notes in parts.items()
    )
    stop_beats = max((s + d for notes in parts.values() for s, d, _ in notes), default=0.0)
    beats = tuple(
        Beat(k * beat_s, (k - pickup_beats) % per_bar + 1) for k in range(int(stop_beats) + 2)
    )
    return Transcription(
        duration_s=stop_beats * beat_s,
        tuning_cents=0.0,
        tempo_bpm=bpm,
        time_signature=time_signature,
        key=key,
        parts=played,
        beats=beats,
        chords=tuple(ChordSegment(a * beat_s, b * beat_s, label) for a, b, label in chords),
    )


def place(performance: Transcription, divisions: int = 24) -> Transcription:
    """Return a performance with placements where it was played, to fractions of a beat."""
    grid = align(performance).grid

    def write(note: NoteEvent) -> NotePlacement:
        start, stop = (
            Fraction(round(grid.to_beats(time_s) * divisions), divisions)
            for time_s in (note.onset_s, note.offset_s)
        )
        return NotePlacement(start, stop - start, is_lower=note.pitch < 60)

    return replace(
        performance,
        placements=tuple(
            () if part.is_drum else tuple(write(note) for note in part.notes)
            for part in performance.parts
        ),
    )


def sing_flat(
    transcription: Transcription, indices: Collection[int], cents: float = 60.0
) -> Transcription:
    """Return the performance with some notes of its first part sung flat by ``cents``."""
    singer, *others = transcription.parts
    notes = (
        replace(note, pitch_cents=-cents) if index in indices else note
        for index, note in enumerate(singer.notes)
    )
    return replace(transcription, parts=(replace(singer, notes=tuple(notes)), *others))


def sing(notes: Sequence[NoteEvent], *, rate_hz: int = RATE_HZ, tail_s: float = 0.3) -> Waveform:
    """Return a synthetic solo voice: glides, vibrato, the formants of an "ah", and breath noise.

    The level dips between two notes, as it does between two syllables.
    """
    length_s = max((note.offset_s for note in notes), default=0.0) + tail_s
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    pitch = np.full(len(time_s), float(notes[0].pitch))
    envelope = np.zeros(len(time_s))
    previous = float(notes[0].pitch)
    for note in notes:
        here = (time_s >= note.onset_s) & (time_s < note.offset_s)
        since_s, left_s = time_s[here] - note.onset_s, note.offset_s - time_s[here]
        vibrato = 0.25 * np.minimum(since_s / 0.25, 1.0) * np.sin(2 * np.pi * 5.5 * since_s)
        pitch[here] = note.pitch + (previous - note.pitch) * np.exp(-since_s / 0.02) + vibrato
        envelope[here] = np.minimum(since_s / 0.04, 1.0) * np.minimum(left_s / 0.05, 1.0)
        previous = float(note.pitch)
    f0_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate_hz
    voice = np.zeros(len(time_s))
    for k in range(1, 25):
        partial_hz = k * f0_hz
        formants = sum(
            gain / (1 + ((partial_hz - centre_hz) / width_hz) ** 2)
            for centre_hz, width_hz, gain in ((750, 130, 1.0), (1150, 150, 0.6), (2700, 250, 0.25))
        )
        voice += (formants + 0.05) / k**0.5 * np.sin(k * phase)
    breath = 0.004 * np.random.default_rng(0).standard_normal(len(time_s))
    samples = envelope * voice / np.abs(voice).max() * 0.4 + breath
    return Waveform(samples.astype(np.float32)[np.newaxis], rate_hz)


def claim_flac_samples(data: bytes, total: int) -> bytes:
    """Set the number of samples in a FLAC's STREAMINFO block: the low 36 bits from byte 21 on."""
    field = int.from_bytes(data[18:26], "big")
    return data[:18] + (field >> 36 << 36 | total).to_bytes(8, "big") + data[26:]
