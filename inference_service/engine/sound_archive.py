"""The sounds of a result in one archive: a ZIP file without compression, as Opus gains nothing.

A sound can be read piece by piece, from any file that can be sought in.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from inference_service.engine.results import OpenSound


def write_sounds(target: Path | IO[bytes], sounds: Mapping[str, bytes]) -> None:
    """Write an archive of sounds, in their order."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, sound in sounds.items():
            archive.writestr(name, sound)


def read_sounds(source: Path | IO[bytes]) -> dict[str, bytes]:
    """Return all sounds of an archive by name.

    Raises
    ------
    zipfile.BadZipFile, EOFError
        If it is damaged.
    """
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def list_sounds(source: Path | IO[bytes]) -> tuple[str, ...]:
    """Return the names in an archive; raises what :func:`read_sounds` does."""
    with zipfile.ZipFile(source) as archive:
        return tuple(archive.namelist())


def open_sound(source: Path | IO[bytes], name: str) -> OpenSound | None:
    """Open a sound of an archive, or return None if there is none of this name.

    The archive's file stays open for the sound, also after it is deleted. Raises what
    :func:`read_sounds` does.
    """
    with zipfile.ZipFile(source) as archive:
        if name not in archive.namelist():
            return None
        return OpenSound(archive.getinfo(name).file_size, archive.open(name))
