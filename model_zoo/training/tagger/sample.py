"""Writes rendered examples to listen to and look at.

Each sample is a sound file, its labels as JSON, and a picture: the network's own spectrogram with
the notes drawn into it in a colour for each family, the percussion below, beats as lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from inference_service.audio.spectrogram import LogCompression, build_spectrogram
from inference_service.audio.waveform import Samples
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import (
    BINS_PER_SEMITONE,
    DRUMS,
    LOWEST_PITCH,
    PITCHES,
    NoteNetConfig,
)
from model_zoo.training.beats.prepare import Corpora, load_corpora
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.dataset import ExampleOptions, make_example
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import Kind, Scene, draw_scene
from model_zoo.training.tagger.take import (
    FAMILY,
    KEY,
    OFFSET,
    ONSET,
    PITCH,
    STRENGTH,
    VELOCITY,
    Take,
)

LENGTH_S: Final = 12.0
_DPI: Final = 80


def write_samples(
    symbolic: Path, folder: Path, count: int, seed: int, kind: Kind | None, *, damage: bool
) -> Iterator[Path]:
    """Render samples into a folder; yield the sound files as they are written.

    The same arguments give the same samples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    corpora = load_corpora(symbolic, dev=False)
    for number in range(count):
        random = np.random.default_rng((seed, number))
        scene, take = _draw(corpora, random, kind)
        options = ExampleOptions(min(LENGTH_S, take.duration_s), damage)
        example = make_example(take, random, options)
        path = folder / f"{number:02d}-{scene.kind}.flac"
        soundfile.write(path, np.clip(example.samples, -1.0, 1.0), RATE_HZ)
        path.with_suffix(".json").write_text(json.dumps(to_json(scene, example), indent=1))
        draw_picture(example, path.with_suffix(".png"))
        yield path


def _draw(corpora: Corpora, random: np.random.Generator, kind: Kind | None) -> tuple[Scene, Take]:
    while True:
        try:
            scene = draw_scene(corpora, random, kind)
            return scene, render(scene, random)
        except ValueError:  # a piece that cannot be used
            continue


def to_json(scene: Scene, take: Take) -> dict[str, Any]:
    """Return a sample's labels as JSON."""
    return {
        "piece": scene.name,
        "kind": scene.kind,
        "notes": [
            {
                "onset_s": round(float(note[ONSET]), 4),
                "offset_s": round(float(note[OFFSET]), 4),
                "pitch": round(float(note[PITCH]), 3),
                "velocity": round(float(note[VELOCITY])),
                "family": FAMILIES[int(note[FAMILY])],
            }
            for note in take.notes
        ],
        "drums": [
            {
                "onset_s": round(float(hit[ONSET]), 4),
                "sound": DRUMS[int(hit[KEY])],
                "velocity": round(float(hit[STRENGTH])),
            }
            for hit in take.drums
        ],
        "beats": [
            {"time_s": round(time_s, 4), "position": int(position)}
            for time_s, position in take.beats.tolist()
        ],
        "chords": [
            {"start_s": round(c.start_s, 4), "end_s": round(c.end_s, 4), "label": c.label}
            for c in take.chords
        ],
        "key": take.key and {"tonic": take.key.tonic, "mode": take.key.mode},
    }


def draw_picture(take: Take, path: Path) -> None:
    """Draw a sample's spectrogram and labels as a PNG file."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    colours = _colours()
    figure = Figure(figsize=(16, 9), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    heard = _see(take.samples)
    top = LOWEST_PITCH + len(heard) / BINS_PER_SEMITONE
    upper.imshow(heard, origin="lower", aspect="auto", cmap="Greys", interpolation="nearest",
                 extent=(0, take.duration_s, LOWEST_PITCH - 0.5, top - 0.5))  # fmt: skip
    for note in take.notes:
        length_s = note[OFFSET] - note[ONSET]
        box = Rectangle((note[ONSET], note[PITCH] - 0.5), length_s, 1.0, fill=False, linewidth=1.4,
                        edgecolor=colours[int(note[FAMILY])])  # fmt: skip
        upper.add_patch(box)
    lower.scatter(take.drums[:, ONSET], take.drums[:, KEY], take.drums[:, STRENGTH] / 2, "black")
    for chord in take.chords:
        upper.text(chord.start_s, LOWEST_PITCH, chord.label, color="tab:red")
    for time_s, position in take.beats:
        for axes in (upper, lower):
            axes.axvline(time_s, color="tab:red", alpha=0.6 if position == 1 else 0.2)
    upper.set(ylabel="MIDI pitch", ylim=(LOWEST_PITCH - 1, LOWEST_PITCH + PITCHES + 1))
    lower.set(xlabel="seconds", xlim=(0, take.duration_s), ylim=(-0.5, len(DRUMS) - 0.5))
    lower.set_yticks(range(len(DRUMS)), DRUMS)
    present = sorted(set(take.notes[:, FAMILY].astype(int).tolist()))
    keys = [Rectangle((0, 0), 1, 1, color=colours[family]) for family in present]
    if keys:
        upper.legend(keys, [FAMILIES[family] for family in present], loc="upper right")
    figure.savefig(path, dpi=_DPI)


def _colours() -> list[Any]:
    from matplotlib import colormaps

    return list(colormaps["tab10"].colors)  # type: ignore[attr-defined]


def _see(samples: Samples) -> NDArray[np.float32]:
    config = NoteNetConfig()
    spectrogram, compression = build_spectrogram(config.spectrogram), LogCompression(config.floor)
    with torch.inference_mode():
        heard: NDArray[np.float32] = compression(spectrogram(torch.from_numpy(samples)[None]))[
            0
        ].numpy()
    return heard
