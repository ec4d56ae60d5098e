"""The corpus inside music21: chorales, madrigals, movements and dance tunes.

Only :data:`COLLECTIONS` are read: their composers died over seventy years ago, and their encoders
set no terms. Not read are Palestrina's masses and the CCARH chorales (rights reserved), the Essen
folk songs (non-commercial), Aird's airs (terms on the encoder's site), the trecento (a modern
edition), younger music, and exercises. A file that claims rights itself, as most chorales do, gets
the licence :data:`CLAIMED`.

music21 converts tunes in ABC to MusicXML, so that :mod:`.scores` reads everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from inference_service.notation.partwise import unpack
from model_zoo.training.sources.piece import PUBLIC_DOMAIN, Licence, Origin, Piece
from model_zoo.training.sources.scores import WrittenPiece, parse_score, play_deadpan
from model_zoo.training.sources.splits import name_work
from model_zoo.training.sources.survey import Entry

COLLECTIONS: Final = (
    "bach", "beethoven", "cpebach", "handel", "haydn", "joplin", "monteverdi", "mozart", "schubert",
    "schumann_clara", "schumann_robert", "verdi", "weber", "ryansMammoth",
)  # fmt: skip
TUNES: Final = "ryansMammoth"
CLAIMED: Final = Licence("rights claimed in the file", False)
_SCORES: Final = (".mxl", ".xml", ".musicxml")
_RIGHTS: Final = re.compile(
    rb"copyright|\xc2\xa9|<rights[^>]*>(?!\s*(?:<|released to public domain))", re.IGNORECASE
)
_ABC_TITLE: Final = re.compile(rb"^T:\s*(.+?)\s*$", re.MULTILINE)


def list_music21(folder: Path | None = None) -> Iterator[Entry]:
    """List the scores of the corpus, or of a folder with the same layout."""
    folder = folder or _find_corpus()
    for collection in COLLECTIONS:
        for path in sorted((folder / collection).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.suffix in _SCORES:
                yield Entry(name, partial(_read_score, name, path))
            elif path.suffix == ".abc":
                yield Entry(name, partial(_read_tune, name, path))


def iterate_tunes(folder: Path | None = None) -> Iterator[WrittenPiece]:
    """Parse the collection of tunes, which takes about ten minutes, leaving out malformed ones.

    The tunes of a file that claims rights are left out, too.
    """
    for path in sorted(((folder or _find_corpus()) / TUNES).rglob("*.abc")):
        data = path.read_bytes()
        if not _RIGHTS.search(data):
            name = f"{TUNES}/{path.name}"
            try:
                yield parse_score(name, _convert_tune(name, data))
            except ValueError:
                continue


def _find_corpus() -> Path:
    from music21 import common

    return Path(common.getCorpusFilePath())


def _read_score(name: str, path: Path) -> Piece:
    data = path.read_bytes()
    text = unpack(data) if path.suffix == ".mxl" else data
    return _play(name, text, claims=text, title=name)


def _read_tune(name: str, path: Path) -> Piece:
    data = path.read_bytes()
    title = _ABC_TITLE.search(data)
    text = _convert_tune(name, data)
    tune = title.group(1).decode("utf-8", "replace").split("--")[0] if title else path.stem
    return _play(name, text, claims=data, title=tune)


def _convert_tune(name: str, data: bytes) -> bytes:
    """Return a tune in ABC as MusicXML.

    Raises
    ------
    ValueError
        If music21 cannot read it.
    """
    from music21 import converter
    from music21.exceptions21 import Music21Exception
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    try:
        score = converter.parseData(data.decode("utf-8", "replace"), format="abc")
        text: bytes = GeneralObjectExporter().parse(score)
    except (Music21Exception, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{name}: {error}") from error
    return text


def _play(name: str, text: bytes, *, claims: bytes, title: str) -> Piece:
    licence = CLAIMED if _RIGHTS.search(claims) else PUBLIC_DOMAIN
    origin = Origin("music21", name_work(title), licence)
    return play_deadpan(parse_score(name, text), origin)
