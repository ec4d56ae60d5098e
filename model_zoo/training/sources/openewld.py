"""OpenEWLD: lead sheets of songs in the public domain, melodies with chord symbols."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree

from model_zoo.training.sources.scores import WrittenPiece

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Chord = tuple[float, int, tuple[int, ...]]
"""Where it begins in quarters, its root's pitch class, and its intervals."""


def read_chords(text: bytes, score: WrittenPiece) -> list[Chord]:
    """Read the chord symbols of a lead sheet's first part."""
    root = ElementTree.fromstring(text)
    part = root.find("part")
    chords: list[Chord] = []
    divisions = 1.0
    for measure, start_q in zip(
        part.findall("measure") if part is not None else (), score.bar_start_q, strict=False
    ):
        cursor_q = float(start_q)
        for element in measure:
            divisions = float(element.findtext("divisions") or divisions)
            length_q = float(element.findtext("duration") or 0) / divisions
            if element.tag == "harmony" and element.find("root") is not None:
                step = element.findtext("root/root-step") or "C"
                alter = round(float(element.findtext("root/root-alter") or 0))
                kind = element.findtext("kind") or "major"
                chords.append((cursor_q, (_STEPS[step] + alter) % 12, _intervals(kind)))
            elif element.tag == "backup":
                cursor_q -= length_q
            elif element.tag == "forward" or (
                element.tag == "note" and element.find("chord") is None
            ):
                cursor_q += length_q
    return chords


def _intervals(kind: str) -> tuple[int, ...]:
    third = 3 if kind.startswith(("minor", "diminished", "half")) else 4
    fifth = {"diminished": 6, "half-diminished": 6, "augmented": 8}.get(
        kind.split("-seventh")[0], 7
    )
    if kind.startswith("suspended"):
        third = 5
    if "sixth" in kind:
        return (0, third, fifth, 9)
    if "major-" in kind or kind == "major-minor":
        return (0, third, fifth, 11)
    if kind == "diminished-seventh":
        return (0, 3, 6, 9)
    if kind.startswith(("dominant", "half")) or "seventh" in kind or "ninth" in kind:
        return (0, third, fifth, 10)
    return (0, third, fifth)
