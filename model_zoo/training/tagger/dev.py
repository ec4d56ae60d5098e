"""Evaluation on development examples during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import mir_eval
import numpy as np
import torch
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.decoding import DRUM_KEYS, Outputs, decode_drums, decode_notes
from inference_service.tagger.notes.network import Logits, NoteNet
from model_zoo.training.tagger.losses import losses
from model_zoo.training.tagger.take import FAMILY, KEY, ONSET, Take
from model_zoo.training.tagger.targets import draw_targets, within_range

HIT_S: Final = 0.1
_COUNTED: Final = ("note", "note_offset", "family", "drum")


def measure(network: NoteNet, examples: Sequence[Take], device: torch.device) -> dict[str, float]:
    """Return mean losses, and F1 scores pooled over examples.

    The scores: notes, notes with offsets, notes with families, and drums.
    """
    rate_hz = network.config.frame_rate_hz
    found: dict[str, list[float]] = {}
    counts = np.zeros((len(_COUNTED), 3))
    for take in examples:
        samples = torch.from_numpy(take.samples)[None].to(device)
        with torch.inference_mode(), in_bfloat16(device):
            logits = network(samples)
        targets = draw_targets([take], logits.onset.shape[1], rate_hz).to(str(device))
        for name, loss in losses(logits, targets).items():
            found.setdefault(f"loss_{name}", []).append(loss.item())
        length_s = len(take.samples) / network.config.sample_rate_hz
        counts += _count(replace(take, drums=begin_within(take.drums, length_s),
                                 notes=begin_within(within_range(take.notes), length_s)),
                         to_outputs(logits), rate_hz)  # fmt: skip
    figures = {name: float(np.mean(values)) for name, values in found.items()}
    for name, (matched, estimated, true) in zip(_COUNTED, counts.tolist(), strict=True):
        figures[name] = 2 * matched / max(estimated + true, 1)
    return figures


def in_bfloat16(device: torch.device) -> torch.autocast:
    """Return a context that computes in bfloat16 if the device has instructions for it.

    CPUs without them emulate bfloat16, which takes seven times as long as float32.
    """
    able = device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def to_outputs(logits: Logits) -> Outputs:
    """Return the outputs for the first recording of a batch, as probabilities."""
    return Outputs(
        *(
            (values if name == "bend" else torch.sigmoid(values))[0].float().cpu().numpy()
            for name, values in logits._asdict().items()
        )
    )


def begin_within(labels: NDArray[np.float64], length_s: float) -> NDArray[np.float64]:
    """Return the labels whose onset lies within the recording."""
    return labels[(labels[:, ONSET] >= 0) & (labels[:, ONSET] < length_s)]


def _count(take: Take, outputs: Outputs, rate_hz: float) -> NDArray[np.float64]:
    """Return the numbers of matched, predicted and true notes, a row for each of ``_COUNTED``."""
    by_family = decode_notes(outputs, rate_hz)
    notes = [note for family in by_family.values() for note in family]
    families = [FAMILIES.index(family) for family, own in by_family.items() for _ in own]
    estimated, true = to_rows(notes), take.notes[:, :3]
    pairs = match_notes(true, estimated, None)
    right = sum(int(take.notes[i, FAMILY]) == families[j] for i, j in pairs)
    hits = decode_drums(outputs, rate_hz)
    keys = np.array(DRUM_KEYS, float)[take.drums[:, KEY].astype(int)]
    struck = np.column_stack([take.drums[:, ONSET], take.drums[:, ONSET] + HIT_S, keys])
    return np.array(
        [
            (len(pairs), len(estimated), len(true)),
            (len(match_notes(true, estimated, 0.2)), len(estimated), len(true)),
            (right, len(estimated), len(true)),
            (len(match_notes(struck, to_rows(hits), None)), len(hits), len(struck)),
        ],
        float,
    )


def to_rows(notes: Sequence[NoteEvent]) -> NDArray[np.float64]:
    """Return onset, offset and sounding pitch of notes, shape (N, 3)."""
    rows = [(n.onset_s, n.offset_s, n.pitch + n.pitch_cents / 100) for n in notes]
    return np.array(rows, float).reshape(-1, 3)


def match_notes(
    true: NDArray[np.float64], estimated: NDArray[np.float64], offset_ratio: float | None
) -> list[tuple[int, int]]:
    """Return pairs of rows that mir_eval matches; offsets must match too if a ratio is given."""
    if not len(true) or not len(estimated):
        return []
    hz = [440.0 * 2.0 ** ((rows[:, 2] - 69) / 12) for rows in (true, estimated)]
    pairs: list[tuple[int, int]] = mir_eval.transcription.match_notes(
        true[:, :2], hz[0], estimated[:, :2], hz[1], offset_ratio=offset_ratio
    )
    return pairs
