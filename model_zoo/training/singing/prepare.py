"""Renders melodies and stores the network's inputs, a file for each melody.

A melody of the corpora is either sung (:mod:`model_zoo.training.sound.singing`), alone or separated
from a mix with a band, or played by a wind or string instrument, since people record these alone
too. Some examples hold the remains of a band without a singer, and so no notes. Each melody is
written as soon as it is rendered, and its number is its seed. Development melodies come from pieces
and speakers that training never uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.music.programs import SINGERS
from inference_service.progress import ignore
from inference_service.tagger.singing.features import RATE_HZ as HEARD_HZ
from inference_service.tagger.singing.features import compute_spectrogram, gain_db
from inference_service.tagger.swift_f0 import SwiftF0Tagger
from model_zoo.training.beats.prepare import Corpora, load_corpora
from model_zoo.training.singing.residue import separate_badly
from model_zoo.training.sound.damage import degrade
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.singing import BETWEEN, sing
from model_zoo.training.sound.speech import Bank, load_bank
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import Kind as SceneKind
from model_zoo.training.tagger.scene import Scene, draw_scene

Kind = Literal["alone", "band", "player", "nobody"]
SHARES: Final[dict[Kind, float]] = {"alone": 0.62, "band": 0.24, "player": 0.1, "nobody": 0.04}
DEV_SPEAKERS: Final = 8
"""One speaker in eight is for development."""

DAMAGED_SHARE: Final = 0.75
STEM_STRENGTH: Final = 0.3
"""Probability of damage to a separated singer, relative to one who was recorded alone."""

DEV_SEED: Final = 1_000_000
BLANK: Final = np.zeros((0, 4))

Notes = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sources:
    """The melodies to sing, and the speakers who sing them."""

    corpora: Corpora
    bank: Bank


def load_sources(symbolic: Path, *, dev: bool) -> Sources:
    """Read the corpora and the speakers of the training or the development part.

    Raises
    ------
    FileNotFoundError
        If the folder lacks an archive, or there is no bank of speakers.
    """
    bank = tuple(
        speaker for number, speaker in enumerate(load_bank()) if (number % DEV_SPEAKERS == 0) == dev
    )
    return Sources(load_corpora(symbolic, dev=dev), bank)


def prepare(
    symbolic: Path, cache: Path, *, hours: float, dev: bool, say: Callable[[str], None]
) -> None:
    """Render until this part of the cache holds ``hours`` of sound."""
    folder = cache / ("dev" if dev else "train")
    folder.mkdir(parents=True, exist_ok=True)
    sources = load_sources(symbolic, dev=dev)
    tagger = SwiftF0Tagger(threads=1)
    began, done_s, number = time.monotonic(), 0.0, 0
    while done_s < hours * 3600:
        target = folder / f"{number:06d}.npz"
        random = np.random.default_rng(number + (DEV_SEED if dev else 0))
        number += 1
        if not target.exists():
            samples, notes, kind = render_melody(sources, random)
            _write(target, samples, notes, kind, tagger)
        with np.load(target) as kept:
            done_s += float(kept["duration_s"])
        if number % 50 == 0:
            say(f"{number} melodies, {done_s / 3600:.2f} h, {time.monotonic() - began:.0f} s")


def render_melody(sources: Sources, random: Generator) -> tuple[Samples, Notes, Kind]:
    """Draw a melody and render it.

    Returns
    -------
    samples : np.ndarray, shape (N,), float32, at ``fluidsynth.RATE_HZ``
    notes : np.ndarray, shape (M, 4)
        Onset and offset in seconds, pitch with fractions, velocity.
    kind : str
    """
    kind = list(SHARES)[int(random.choice(len(SHARES), p=list(SHARES.values())))]
    while True:
        try:
            samples, notes = _RENDERERS[kind](sources, random)
        except ValueError:  # a piece that cannot be used, or a silent one
            continue
        strength = 1.0 if kind in ("alone", "player") else STEM_STRENGTH
        if random.random() < DAMAGED_SHARE:
            samples = degrade(samples, random, strength=strength)
        return samples, notes, kind


def _alone(sources: Sources, random: Generator) -> tuple[Samples, Notes]:
    scene = draw_scene(sources.corpora, random, "voice")
    return sing(scene.tracks[0].notes, random, RATE_HZ, sources.bank, BETWEEN)


def _in_band(sources: Sources, random: Generator) -> tuple[Samples, Notes]:
    scene = _draw_until(sources, random, "band", _has_singer)
    singers = [track for track in scene.tracks if track.program in SINGERS and not track.is_drum]
    samples, notes = sing(singers[0].notes, random, RATE_HZ, sources.bank, BETWEEN)
    band = _play_others(scene, random)
    size = max(len(samples), len(band))
    samples, band = (np.pad(part, (0, size - len(part))) for part in (samples, band))
    return separate_badly(samples, band, random), notes


def _nobody(sources: Sources, random: Generator) -> tuple[Samples, Notes]:
    return _play_others(_draw_until(sources, random, "band", _has_singer), random), BLANK


def _play_others(scene: Scene, random: Generator) -> Samples:
    others = tuple(t for t in scene.tracks if t.is_drum or t.program not in SINGERS)
    return render(replace(scene, tracks=others), random).samples


def _by_player(sources: Sources, random: Generator) -> tuple[Samples, Notes]:
    scene = _draw_until(sources, random, "chamber", _is_solo)
    take = render(scene, random)
    return take.samples, _end_before_next(take.notes[:, :4])


def _has_singer(scene: Scene) -> bool:
    sung = [track.program in SINGERS and not track.is_drum for track in scene.tracks]
    return any(sung) and not all(sung)


def _is_solo(scene: Scene) -> bool:
    return len(scene.tracks) == 1 and len(scene.tracks[0].notes) > 3


def _draw_until(
    sources: Sources, random: Generator, kind: SceneKind, accept: Callable[[Scene], bool]
) -> Scene:
    while True:
        scene = draw_scene(sources.corpora, random, kind)
        if accept(scene):
            return scene


def _end_before_next(notes: Notes) -> Notes:
    """Return the notes with each cut off where the next one begins."""
    ended = notes.copy()
    ended[:-1, 1] = np.minimum(ended[:-1, 1], ended[1:, 0])
    line: Notes = ended[ended[:, 1] > ended[:, 0]]
    return line


_RENDERERS: Final[dict[Kind, Callable[[Sources, Generator], tuple[Samples, Notes]]]] = {
    "alone": _alone,
    "band": _in_band,
    "player": _by_player,
    "nobody": _nobody,
}


def _write(target: Path, samples: Samples, notes: Notes, kind: Kind, tagger: SwiftF0Tagger) -> None:
    heard = resample(samples, RATE_HZ, HEARD_HZ)
    contour = tagger.track(Waveform(heard[None], HEARD_HZ), ignore)
    spectrogram = compute_spectrogram(heard, gain_db(contour), len(contour.timestamps))
    partial_file = target.with_suffix(".partial")
    with partial_file.open("wb") as file:
        np.savez(
            file,
            spectrogram=spectrogram.astype(np.float16),
            pitch_hz=contour.pitch_hz.astype(np.float32),
            confidence=contour.confidence.astype(np.float32),
            loudness_db=contour.loudness_db.astype(np.float32),
            notes=notes.astype(np.float64),
            duration_s=len(samples) / RATE_HZ,
            kind=kind,
        )
    partial_file.rename(target)
