"""A song's stems as files: what to keep of them, and what a person gets.

Kept are Opus files, which are made and stored at little cost; a person gets MP3, which every player
and Telegram's take for music. Names are those of stems, "vocals", "accompaniment", and each
instrument's where the separator tells several apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from inference_service.audio.encode import SoundFormat, convert_to_mp3, encode
from inference_service.audio.waveform import Waveform, mix
from inference_service.progress import Report

VOCALS: Final = "vocals"
ACCOMPANIMENT: Final = "accompaniment"

KeptStems = Mapping[str, bytes]
"""Opus files by stem; of a recording that was not separated, none."""

OnStems = Callable[[Mapping[str, Waveform], Report], None]
"""Given a song's stems when they are known."""

MAX_FILE_BYTES: Final = 48_000_000
"""Of a person's file: a bot may send 50 MB (https://core.telegram.org/bots/api#sendaudio)."""

SONG_NAMES: Final = {VOCALS: "a-cappella", ACCOMPANIMENT: "karaoke"}
"""What a singer calls them."""


def complete(stems: Mapping[str, Waveform]) -> dict[str, Waveform]:
    """Return a separator's stems, the vocals first, then the accompaniment: all others together."""
    others = {name: stem for name, stem in stems.items() if name not in (VOCALS, ACCOMPANIMENT)}
    accompaniment = stems.get(ACCOMPANIMENT) or mix(others.values())
    several = others if len(others) > 1 else {}
    return {VOCALS: stems[VOCALS], ACCOMPANIMENT: accompaniment, **several}


def keep(stems: Mapping[str, Waveform], report: Report) -> dict[str, bytes]:
    """Return what is kept of a song's stems."""
    return {name: encode(stem, SoundFormat.OPUS, report) for name, stem in complete(stems).items()}


def export(kept: KeptStems, report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield the names and the data of MP3 files, karaoke first."""
    order = sorted(kept, key=lambda name: (name != ACCOMPANIMENT, name != VOCALS))
    for number, name in enumerate(order):

        def report_file(fraction: float, number: int = number) -> None:
            report((number + fraction) / len(order))

        data = convert_to_mp3(kept[name], MAX_FILE_BYTES, report_file)
        yield f"{SONG_NAMES.get(name, name)}.mp3", data


def forget(stems: Mapping[str, Waveform], report: Report) -> None:
    """Keep nothing."""
