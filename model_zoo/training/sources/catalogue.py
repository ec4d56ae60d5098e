"""Looks up sources by name, and lists folders of mixed files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from model_zoo.training.sources.groove import list_grooves
from model_zoo.training.sources.guitarpro import list_guitar_pro
from model_zoo.training.sources.hooktheory import list_hooktheory
from model_zoo.training.sources.midi_folder import list_midi
from model_zoo.training.sources.music21_corpus import list_music21
from model_zoo.training.sources.openewld import list_openewld
from model_zoo.training.sources.openscore import list_openscore
from model_zoo.training.sources.piece import UNSTATED, Licence
from model_zoo.training.sources.pop909 import list_pop909
from model_zoo.training.sources.recordings import READERS, list_recordings
from model_zoo.training.sources.survey import Entry

ARCHIVES: Final[dict[str, tuple[str, Callable[[Path], Iterator[Entry]]]]] = {
    "pop909": ("pop909.zip", list_pop909),
    "lieder": ("openscore_lieder.zip", list_openscore),
    "quartets": ("openscore_quartets.zip", list_openscore),
    "openewld": ("openewld.zip", list_openewld),
    "groove": ("groove_midi.zip", list_grooves),
}
"""For each archive in the data folder's ``symbolic``: its file name and its reader."""

NAMES: Final = (*ARCHIVES, "music21", *READERS)


def list_source(name: str, symbolic: Path, folder: Path | None) -> Iterator[Entry]:
    """List the entries of the source called ``name``.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    symbolic : Path
        Folder of the archives.
    folder : Path or None
        Folder of a set of recordings, or of a copy of music21's corpus.

    Raises
    ------
    ValueError
        If the name is unknown, or a set of recordings is asked for without its folder.
    """
    if name in ARCHIVES:
        archive, list_archive = ARCHIVES[name]
        return list_archive(symbolic / archive)
    if name == "music21":
        return list_music21(folder)
    if name not in READERS or folder is None:
        raise ValueError(f"{name}: no folder, and none of {', '.join((*ARCHIVES, 'music21'))}")
    return list_recordings(name, folder)


def list_folder(folder: Path, licence: Licence = UNSTATED) -> Iterator[Entry]:
    """List the MIDI, Guitar Pro and Hooktheory files below ``folder``."""
    clips = sorted([*folder.rglob("Hooktheory*.json"), *folder.rglob("Hooktheory*.json.gz")])
    return chain(
        list_midi(folder, licence),
        list_guitar_pro(folder, licence),
        chain.from_iterable(map(list_hooktheory, clips)),
    )
