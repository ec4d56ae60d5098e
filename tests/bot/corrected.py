"""Corrected results of the service double: kept, and told from each other, as the service does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from notabot.v1 import transcription_pb2 as pb

ID_CHARS = 12
TONICS = ("A", "Bb", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
_FIELDS = {
    pb.CORRECTABLE_METRE: ("time_signature",),
    pb.CORRECTABLE_BEAT_SCALE: ("beat_scale", "tempo_bpm"),
    pb.CORRECTABLE_FIRST_BEAT: ("first_beat",),
    pb.CORRECTABLE_KEY: ("key",),
    pb.CORRECTABLE_FINEST_VALUE: ("finest_value",),
    pb.CORRECTABLE_TRIPLETS: ("triplets",),
    pb.CORRECTABLE_FEEL: ("feel",),
    pb.CORRECTABLE_PARTS: ("parts",),
    pb.CORRECTABLE_BARS: ("bars",),
    pb.CORRECTABLE_EDITS: ("edits",),
    pb.CORRECTABLE_BAR_MOVES: ("bar_moves",),
}


@dataclass
class CorrectedResults:
    """Corrected results by id; ``heard`` holds what every uncorrected result says of itself."""

    heard: pb.Result = field(default_factory=pb.Result)
    _known: dict[str, tuple[str, str, pb.Corrections]] = field(default_factory=dict)

    def correct(self, result_id: str, render: pb.RenderOptions) -> str:
        """Add corrections to those of a result; return the id of the result that has them all."""
        root_id, _, before = self._known.get(result_id, (result_id, "", pb.Corrections()))
        state = _merge(before, render.corrections)
        state = _merge(state, _make_absolute(render.adjustments, before))
        if state == before:
            return result_id
        content = root_id.encode() + result_id.encode() + state.SerializeToString()
        corrected_id = hashlib.sha256(content).hexdigest()[:ID_CHARS]
        self._known[corrected_id] = (root_id, result_id, state)
        return corrected_id

    def describe(self, result: pb.Result, result_id: str) -> pb.Result:
        """Return ``result`` as the service would describe it under this id."""
        root_id, previous_id, state = self._known.get(result_id, (result_id, "", pb.Corrections()))
        described = pb.Result()
        described.CopyFrom(result)
        described.MergeFrom(self.heard)
        described.result_id, described.uncorrected_id = result_id, root_id
        described.previous_id = previous_id
        described.corrections.CopyFrom(state)
        described.first_beat = state.first_beat or 1.0
        described.beat_scale = state.beat_scale or 1.0
        described.tempo_bpm = state.tempo_bpm or described.tempo_bpm * described.beat_scale
        if state.time_signature:
            described.time_signature = state.time_signature
            described.metre_is_doubtful = False
            others = [offer for offer in described.offers if not offer.corrections.time_signature]
            del described.offers[:]
            described.offers.extend(others)
        if state.HasField("key"):
            described.key.CopyFrom(state.key)
            described.key_is_doubtful = False
            if not result.render.transpose_semitones:
                described.rendered_key.CopyFrom(state.key)
        for correction in state.parts:
            for part in described.parts:
                if part.id == correction.id:
                    part.left_out = correction.left_out
        return described


def transpose(render: pb.RenderOptions) -> pb.RenderOptions:
    """Return options with the transposition from A minor that they ask for, as semitones."""
    settled = pb.RenderOptions()
    settled.CopyFrom(render)
    if render.HasField("transpose_to"):
        named = render.transpose_to
        semitones = TONICS.index(named.tonic)
        if named.HasField("mode") and named.mode == pb.MODE_MAJOR:
            semitones = (semitones - 3) % 12  # the relative
        settled.transpose_semitones = semitones - 12 if semitones > 6 else semitones
    settled.ClearField("transpose_to")
    settled.ClearField("adjustments")
    return settled


def _make_absolute(adjustments: pb.Adjustments, before: pb.Corrections) -> pb.Corrections:
    """Return adjustments of a page in 4/4, untransposed, as corrections."""
    edit = pb.Corrections()
    if adjustments.rescale:
        edit.beat_scale = (before.beat_scale or 1.0) * adjustments.rescale
    if adjustments.HasField("bar_shift"):
        shift = adjustments.bar_shift
        step = 1.0 if shift.unit == pb.BAR_UNIT_BEAT else 0.5
        number = (before.first_beat or 1.0) + shift.count * step
        edit.first_beat = number if number > 0 else number + 4
    for local in adjustments.local_shifts:
        step = 1.0 if local.shift.unit == pb.BAR_UNIT_BEAT else 0.5
        from_beat = 4.0 * local.from_bar - 3.0
        known = sum(move.beats for move in before.bar_moves if move.from_beat == from_beat)
        beats = known + local.shift.count * step
        edit.bar_moves.append(pb.BarMove(from_beat=from_beat, beats=beats))
    if adjustments.HasField("key"):
        named = adjustments.key
        mode = named.mode if named.HasField("mode") else pb.MODE_MINOR
        edit.key.CopyFrom(pb.Key(tonic=named.tonic or "A", mode=mode))
    return edit


def _merge(before: pb.Corrections, edit: pb.Corrections) -> pb.Corrections:
    state = pb.Corrections()
    state.CopyFrom(before)
    for name in (name for heard in edit.as_heard for name in _FIELDS[heard]):
        state.ClearField(name)
    if edit.beat_scale or edit.tempo_bpm:
        state.ClearField("beat_scale")
        state.ClearField("tempo_bpm")
    parts: dict[str, Any] = {part.id: part for part in state.parts}
    for part in edit.parts:
        parts.setdefault(part.id, pb.PartCorrection(id=part.id)).MergeFrom(part)
    later = pb.Corrections()
    later.CopyFrom(edit)
    later.ClearField("parts")
    later.ClearField("as_heard")
    moves = {move.from_beat: move.beats for move in (*state.bar_moves, *later.bar_moves)}
    state.ClearField("bar_moves")
    later.ClearField("bar_moves")
    state.bar_moves.extend(
        pb.BarMove(from_beat=from_beat, beats=beats)
        for from_beat, beats in sorted(moves.items())
        if beats
    )
    if later.HasField("bars"):
        state.ClearField("bars")
    if later.edits:
        state.ClearField("edits")
    kept = [pb.PartCorrection.FromString(part.SerializeToString()) for part in parts.values()]
    state.MergeFrom(later)
    state.ClearField("parts")
    state.parts.extend(sorted(kept, key=lambda part: part.id))
    return state
