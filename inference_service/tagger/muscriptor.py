"""Notes of many instruments at once, each by name, and drums, through MuScriptor.

Rouard, Krause, Roebel, Simon-Gabriel and Défossez, "MuScriptor: An Open Model for Multi-Instrument
Music Transcription", 2026, arXiv:2607.08168. A transformer writes the notes of five seconds at a
time as a sequence of tokens; the package ``muscriptor`` has the network, its tokens, and their
decoding to notes. This module reads the network's sizes from its tensors, as the published
``config.json`` says the same, makes parts of the notes, and adds progress and cancellation. Notes
have no velocities.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import torch
from muscriptor import transcription_model
from muscriptor.events import NoteEndEvent, NoteStartEvent, ProgressEvent
from muscriptor.models import lm
from muscriptor.modules import conditioners
from muscriptor.tokenizer.mt3 import MT3_FULL_PLUS_GROUP_NAMES, get_group_program_map
from muscriptor.transcription_model import TranscriptionModel
from safetensors import SafetensorError, safe_open

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform, mix
from inference_service.errors import ModelRejected
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent, Part
from inference_service.music.families import program_of
from inference_service.progress import Report
from inference_service.settings import ModelSettings

SAMPLE_RATE_HZ: Final = 16_000
HEAD_WIDTH: Final = 64
"""Of each published network; the only size that shows in no tensor."""

DRUMS: Final = "drums"
VOICE: Final = "voice"
POLL_S: Final = 0.2
"""How often a thread reports that waits for another one's recording."""

MELODY: Final = Part("melody", "Melody", (), program_of("winds"))
OTHER: Final = "Other"
"""Name of a part whose instrument the model does not name."""

Event: TypeAlias = NoteStartEvent | NoteEndEvent | ProgressEvent

_GROUPS: Final[dict[int, list[int]]] = get_group_program_map("MT3_FULL_PLUS", "SINGLETON_GROUPS")
_PROGRAMS: Final[dict[str, int]] = {
    name: _GROUPS[group][0] for name, group in MT3_FULL_PLUS_GROUP_NAMES.items() if name != DRUMS
}


def _say_nothing(*words: object, **options: object) -> None:
    """Stand in for ``print``."""


# The package prints timings, to standard output too, where it would be among our own output.
for _module in (conditioners, lm, transcription_model):
    vars(_module)["print"] = _say_nothing


class MuScriptorTagger:
    """Finds the notes of any recording, with the instrument of each.

    Parameters
    ----------
    model : TranscriptionModel
    """

    def __init__(self, model: TranscriptionModel) -> None:
        self._model = model
        self._network: torch.nn.Module = model._model
        self._free = threading.Lock()

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return a part for each instrument that is heard, singers included, and one for drums.

        ``tuning_cents`` is unused, as the model predicts semitones.

        Raises
        ------
        Cancelled
            From ``report``, which is called at each token.
        """
        mixture = mix(stems.values())
        return build_parts(self._hear(mixture, report), mixture.duration_s)

    def tag_players(
        self, waveform: Waveform, tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return a part for each instrument that is heard, and one for drums.

        What sounds like a singer, where there is none, is a melody.
        """
        parts = build_parts(self._hear(waveform, report), waveform.duration_s)
        return tuple(
            replace(MELODY, notes=part.notes) if part.id == VOICE else part for part in parts
        )

    def _hear(self, waveform: Waveform, report: Report) -> list[Event]:
        """Return the notes that the model writes, for one thread at a time.

        The model keeps what it has written, and its hooks are those of all threads.
        """
        while not self._free.acquire(timeout=POLL_S):
            report(0.0)
        try:
            return self._write(waveform, report)
        finally:
            self._free.release()

    def _write(self, waveform: Waveform, report: Report) -> list[Event]:
        share = 0.0
        events: list[Event] = []

        def tell(*arguments: object) -> None:
            report(share)

        handle = self._network.register_forward_pre_hook(tell)
        try:
            for event in self._transcribe(waveform):
                if isinstance(event, ProgressEvent):
                    share = event.completed / event.total
                else:
                    events.append(event)
        finally:
            handle.remove()
        report(1.0)
        return events

    def _transcribe(self, waveform: Waveform) -> Iterator[Event]:
        samples = resample(waveform.mono(), waveform.sample_rate_hz, SAMPLE_RATE_HZ)
        if len(samples):
            yield from self._model.transcribe((torch.from_numpy(samples), SAMPLE_RATE_HZ))


def build_parts(events: Iterable[Event], duration_s: float) -> tuple[Part, ...]:
    """Return a part for each instrument, in the order in which they begin; drums come last.

    Notes that begin after the recording, in the silence that completes the last window, are
    dropped.
    """
    found: dict[str, list[NoteEvent]] = {}
    for event in events:
        if isinstance(event, NoteEndEvent) and event.start_event.start_time < duration_s:
            start = event.start_event
            note = NoteEvent(start.start_time, event.end_time, start.pitch)
            if note.offset_s > note.onset_s:
                found.setdefault(start.instrument, []).append(note)
    ordered = sorted(found.items(), key=lambda item: (item[0] == DRUMS, min(item[1])))
    return tuple(_build_part(instrument, sorted(notes)) for instrument, notes in ordered)


def _build_part(instrument: str, notes: list[NoteEvent]) -> Part:
    if instrument == DRUMS:
        return Part(DRUMS, DRUMS.capitalize(), tuple(notes), None, is_drum=True)
    if instrument in _PROGRAMS:
        name = instrument.replace("_", " ").capitalize()
        return Part(instrument, name, tuple(notes), _PROGRAMS[instrument])
    return Part(instrument, OTHER, tuple(notes), int(instrument.removeprefix("program_")))


def load_published(path: Path, device: str = "cpu") -> MuScriptorTagger:
    """Load published weights, a safetensors file.

    The network's sizes are written beside it as ``config.json``, where the package looks for them.

    Raises
    ------
    ModelRejected
        If the file holds something else, or values that are not finite.
    """
    try:
        sizes = _read_sizes(path)
        path.with_name("config.json").write_text(json.dumps(sizes), encoding="utf-8")
        return MuScriptorTagger(TranscriptionModel.load_model(path, device, torch.float32))
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise ModelRejected(
            f"{path.name} holds no network of MuScriptor: {error}", model=path.parent.name
        ) from error


def _read_sizes(path: Path) -> dict[str, int]:
    """Return the sizes in the file's tensors, all of which must be finite."""
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        for name in names:
            if not file.get_tensor(name).isfinite().all():
                raise ValueError(f"{name} is not finite")
        head = "linear.weight" if "linear.weight" in names else "linears.0.weight"
        card, width = file.get_slice(head).get_shape()
    layers = {name.split(".")[2] for name in names if name.startswith("transformer.layers.")}
    return {
        "dim": width,
        "num_heads": width // HEAD_WIDTH,
        "num_layers": len(layers),
        "card": card,
    }


def build(entry: ModelFiles, settings: ModelSettings) -> MuScriptorTagger:
    """Build the tagger, as the manifest declares it."""
    (weights,) = entry.paths(settings.weights)
    return load_published(weights, settings.device_name)
