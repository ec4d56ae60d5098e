"""A recording and a song's stems as files: Opus files in the cache, MP3 files for users.

Opus is cheap to encode and to store. MP3 is played as music by all players, including Telegram's.
Stems are named "vocals", "accompaniment" and, if the separator distinguishes several instruments,
by instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from inference_service.audio.encode import SoundFormat, convert_to_mp3, encode
from inference_service.audio.waveform import Waveform, mix
from inference_service.progress import Report

VOCALS: Final = "vocals"
ACCOMPANIMENT: Final = "accompaniment"

RECORDING: Final = "recording"
"""The name of the recording among the sounds that are kept."""

RECORDING_BPS: Final = 96_000
"""Bit rate of a stereo recording, at which Opus is hard to tell from the original."""

KeptSounds = Mapping[str, bytes]
"""Opus files: the recording, and the stems if it was separated."""

OnStems = Callable[[Mapping[str, Waveform], Report], None]
"""Called with a song's stems after separation."""

MAX_FILE_BYTES: Final = 48_000_000
"""Limit of a user's file: a bot may send 50 MB (https://core.telegram.org/bots/api#sendaudio)."""

SONG_NAMES: Final = {VOCALS: "a-cappella", ACCOMPANIMENT: "karaoke"}
"""Names of the users' files."""


def complete(stems: Mapping[str, Waveform]) -> dict[str, Waveform]:
    """Return the vocals, the accompaniment (all other stems mixed), then any single instruments."""
    others = {name: stem for name, stem in stems.items() if name not in (VOCALS, ACCOMPANIMENT)}
    accompaniment = stems.get(ACCOMPANIMENT) or mix(others.values())
    several = others if len(others) > 1 else {}
    return {VOCALS: stems[VOCALS], ACCOMPANIMENT: accompaniment, **several}


def keep_recording(waveform: Waveform, report: Report) -> dict[str, bytes]:
    """Encode a recording for the cache, from its first decoded sample on."""
    return {RECORDING: encode(waveform, SoundFormat.OPUS, report, bit_rate=RECORDING_BPS)}


def keep(stems: Mapping[str, Waveform], report: Report) -> dict[str, bytes]:
    """Encode a song's stems for the cache."""
    return {name: encode(stem, SoundFormat.OPUS, report) for name, stem in complete(stems).items()}


def export(kept: KeptSounds, report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the data of each stem as an MP3 file, karaoke first."""
    stems = (name for name in kept if name != RECORDING)
    order = sorted(stems, key=lambda name: (name != ACCOMPANIMENT, name != VOCALS))
    for number, name in enumerate(order):

        def report_file(fraction: float, number: int = number) -> None:
            report((number + fraction) / len(order))

        data = convert_to_mp3(kept[name], MAX_FILE_BYTES, report_file)
        yield f"{SONG_NAMES.get(name, name)}.mp3", data


def forget(stems: Mapping[str, Waveform], report: Report) -> None:
    """An ``OnStems`` that keeps nothing."""
