"""Options that put a transcription right."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeVar

from inference_service.cli.files import read
from inference_service.errors import InvalidCorrections
from inference_service.music.adjustments import Adjustments, BarShift, BarUnit, LocalShift
from inference_service.music.corrections import (
    BarRange,
    Clef,
    Correctable,
    Corrections,
    Edit,
    Feel,
    FinestValue,
    PartCorrection,
    Triplets,
    round_first_beat,
    round_scale,
)
from inference_service.music.edits import ScoreEdit
from inference_service.music.events import Key
from inference_service.music.serialization import MAX_EDITS_BYTES, decode_edits

_SCALES: Final = {"double": 2.0, "half": 0.5, "triple": 3.0, "third": 1 / 3}
_KEY: Final = re.compile(r"([A-Ga-g][#b♯♭]?)\s*(major|minor|m)?")
_BARS: Final = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)
_LOCAL_SHIFT: Final = re.compile(
    r"(?P<bar>\d{1,6}):(?P<count>[+-]?\d{1,3})(?P<eighths>e)?", re.ASCII
)
_FRACTION: Final = re.compile(r"\d{1,6}(\.\d{1,6}|/[1-9]\d{0,2})?", re.ASCII)
_TRIPLETS: Final = {None: None, True: Triplets.ALLOWED, False: Triplets.NOT_ALLOWED}

Member = TypeVar("Member", bound=StrEnum)


def add_correction_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of corrections; :func:`read_edit` reads them."""
    group = parser.add_argument_group("corrections", "what was misheard; see docs/corrections.md")
    group.add_argument("--metre", metavar="N/N", help="time signature, such as 3/4")
    group.add_argument(
        "--beat",
        metavar="FACTOR",
        help=f"factor of the written values: {', '.join(_SCALES)}, or a number such as 3/2",
    )
    group.add_argument(
        "--tempo", type=float, metavar="BPM", help="instead of --beat: the nearest such tempo"
    )
    group.add_argument(
        "--first-beat",
        metavar="N",
        help="the heard beat at which bar 1 begins, from 1; 2.5 is between two",
    )
    group.add_argument(
        "--bars-later",
        metavar="N:BEATS",
        action="append",
        default=[],
        help="bar lines from bar N on later by beats, or eighths (9:1e); -1: earlier",
    )
    group.add_argument("--key", metavar="KEY", help="such as Bb, F#m or 'C minor'")
    group.add_argument("--finest", metavar="VALUE", help=f"shortest note: {_names(FinestValue)}")
    group.add_argument(
        "--triplets", action=argparse.BooleanOptionalAction, help="whether triplets may be written"
    )
    group.add_argument("--feel", metavar="FEEL", help=_names(Feel))
    group.add_argument(
        "--leave-out", metavar="ID", action="append", default=[], help="a part not to write"
    )
    group.add_argument("--name", metavar="ID=TEXT", action="append", default=[])
    group.add_argument(
        "--program",
        metavar="ID=N",
        action="append",
        default=[],
        help="another instrument of General MIDI, 0 to 127",
    )
    group.add_argument(
        "--clef",
        metavar="ID=CLEF",
        action="append",
        default=[],
        help=f"one staff in a clef: {_names(Clef)}",
    )
    group.add_argument("--bars", metavar="N-N", help="bars to write, both included")
    group.add_argument(
        "--edits",
        type=Path,
        metavar="FILE",
        help="edits of single notes and chords, instead of earlier ones: a JSON list",
    )


def read_edit(options: argparse.Namespace) -> Edit:
    """Return the corrections that the options name.

    Raises
    ------
    InvalidCorrections
        If a value is outside its range.
    """
    return Edit(
        Corrections(
            time_signature=options.metre,
            beat_scale=None if options.beat is None else round_scale(_read_scale(options.beat)),
            tempo_bpm=options.tempo,
            first_beat=(
                None
                if options.first_beat is None
                else round_first_beat(_read_number(options.first_beat, "first_beat"))
            ),
            key=None if options.key is None else _read_key(options.key),
            finest_value=_member(FinestValue, options.finest, "finest_value"),
            triplets=_TRIPLETS[options.triplets],
            feel=_member(Feel, options.feel, "feel"),
            parts=_read_parts(options),
            bars=None if options.bars is None else _read_bars(options.bars),
            edits=() if options.edits is None else _read_edits(options.edits),
        ),
        frozenset() if options.edits is None else frozenset({Correctable.EDITS}),
    )


def read_adjustments(options: argparse.Namespace) -> Adjustments:
    """Return the corrections that the options name in terms of the page.

    Raises
    ------
    InvalidCorrections
        If a value is outside its range.
    """
    return Adjustments(local_shifts=tuple(map(_read_local_shift, options.bars_later)))


def _read_local_shift(text: str) -> LocalShift:
    match = _LOCAL_SHIFT.fullmatch(text)
    if match is None:
        raise InvalidCorrections("not a bar and beats such as 9:1", correction="local_shifts")
    unit = BarUnit.EIGHTH if match["eighths"] else BarUnit.BEAT
    return LocalShift(int(match["bar"]), BarShift(int(match["count"]), unit))


def _read_scale(text: str) -> float:
    return _SCALES[text] if text in _SCALES else _read_number(text, "beat_scale")


def _read_number(text: str, correction: str) -> float:
    if _FRACTION.fullmatch(text) is None:
        raise InvalidCorrections("not a number such as 2, 2.5 or 3/2", correction=correction)
    return float(Fraction(text))


def _read_key(text: str) -> Key:
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise InvalidCorrections("not a key such as Bb, F#m or C minor", correction="key")
    tonic, mode = match.groups()
    tonic = tonic.replace("♯", "#").replace("♭", "b")
    return Key(tonic[0].upper() + tonic[1:], "minor" if mode in ("m", "minor") else "major")


def _read_bars(text: str) -> BarRange:
    match = _BARS.fullmatch(text)
    if match is None:
        raise InvalidCorrections("not a range of bars such as 5-12", correction="bars")
    first, last = match.groups()
    return BarRange(int(first), int(last or first))


def _read_edits(path: Path) -> tuple[ScoreEdit, ...]:
    return decode_edits(read(path, MAX_EDITS_BYTES))


def _read_parts(options: argparse.Namespace) -> tuple[PartCorrection, ...]:
    changes = [PartCorrection(part_id, left_out=True) for part_id in options.leave_out]
    changes += [PartCorrection(part_id, name=text) for part_id, text in _split(options.name)]
    for part_id, text in _split(options.program):
        if not text.isascii() or not text.isdecimal() or len(text) > 3:
            raise InvalidCorrections("a program is a number from 0 to 127", correction="parts")
        changes.append(PartCorrection(part_id, program=int(text)))
    for part_id, text in _split(options.clef):
        changes.append(PartCorrection(part_id, clef=_member(Clef, text, "parts")))
    parts: dict[str, PartCorrection] = {}
    for change in changes:
        parts[change.id] = parts.get(change.id, PartCorrection(change.id)).amended_by(change)
    return tuple(parts[part_id] for part_id in sorted(parts))


def _split(texts: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        part_id, equals, value = text.partition("=")
        if not equals:
            raise InvalidCorrections("a part's option is not ID=VALUE", correction="parts")
        pairs.append((part_id, value))
    return pairs


def _member(kind: type[Member], text: str | None, correction: str) -> Member | None:
    if text is None:
        return None
    try:
        return kind(text.replace("-", "_"))
    except ValueError:
        raise InvalidCorrections(f"not one of {_names(kind)}", correction=correction) from None


def _names(kind: Iterable[str]) -> str:
    return ", ".join(name.replace("_", "-") for name in kind)
