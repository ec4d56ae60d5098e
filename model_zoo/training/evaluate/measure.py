"""Runs several systems on the clips of a set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from model_zoo.training.evaluate.sets import Clip
from model_zoo.training.evaluate.summary import Comparison, Summary, compare, summarise
from model_zoo.training.evaluate.systems import Hear, digest


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of all systems on one set.

    Attributes
    ----------
    name : str
    clips : int
    duration_s : float
    sha256 : str
        Digest of all sounds; figures are comparable only if it is the same.
    systems : mapping of str to Summary
    """

    name: str
    clips: int
    duration_s: float
    sha256: str
    systems: Mapping[str, Summary]


def measure(
    name: str,
    clips: Iterable[Clip],
    systems: Mapping[str, Hear],
    say: Callable[[str], None],
) -> Measured:
    """Run all systems on all clips, and compare their output with the labels."""
    found: dict[str, dict[str, Comparison]] = {system: {} for system in systems}
    sounds, duration_s = hashlib.sha256(), 0.0
    count = 0
    for count, clip in enumerate(clips, start=1):
        waveform = clip.load()
        duration_s += waveform.duration_s
        sounds.update(digest(waveform).encode())
        for system, hear in systems.items():
            say(f"{name}, clip {count}, {clip.name}: {system}")
            found[system][clip.name] = compare(clip.labels, hear(waveform))
    summaries = {system: summarise(comparisons) for system, comparisons in found.items()}
    return Measured(name, count, duration_s, sounds.hexdigest(), summaries)
