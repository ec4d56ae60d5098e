"""The fonts of the engraved pages, taken from wheels that are installed anyway.

Text is set in STIX General, which comes with matplotlib, a dependency of music21. It has the
metrics of Times, by which Verovio measures text, and covers Latin, Cyrillic and accidentals. Its
licence is the SIL Open Font License with a clause on names.

Musical signs within text (the note of a tempo mark, the flat of a chord symbol) are set in Leipzig
(SIL Open Font License), which Verovio ships as WOFF2 in a style sheet. The renderers cannot read
WOFF2, so it is unpacked once per process into a temporary directory.
"""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib
import verovio
from fontTools.ttLib import TTFont

TEXT_FAMILY: Final = "STIXGeneral"
MUSIC_FAMILY: Final = "Leipzig"

_TEXT_FILES: Final = (
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
    "STIXGeneralItalic.ttf",
    "STIXGeneralBolIta.ttf",
)
_EMBEDDED: Final = re.compile(rb"base64,([A-Za-z0-9+/=]+)")


@cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    """Collect the fonts in a directory that is removed when the process ends."""
    directory = tempfile.TemporaryDirectory(prefix="notabot-fonts-")
    target = Path(directory.name)
    for name in _TEXT_FILES:
        shutil.copy(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, target / name)
    _unpack_music_font(target / f"{MUSIC_FAMILY}.ttf")
    return directory


def _unpack_music_font(target: Path) -> None:
    sheet = Path(verovio.__file__).parent / "data" / f"{MUSIC_FAMILY}.css"
    match = _EMBEDDED.search(sheet.read_bytes())
    if match is None:
        raise RuntimeError(f"Verovio's {sheet.name} holds no font")
    font = TTFont(BytesIO(base64.b64decode(match.group(1))))
    font.flavor = None
    font.save(target)


@cache
def _advances(file_name: str) -> tuple[dict[int, float], float]:
    """Return the width in ems of each character, and that of a missing glyph."""
    font = TTFont(font_directory() / file_name)
    widths = font["hmtx"]
    em = font["head"].unitsPerEm
    known = {code: widths[name][0] / em for code, name in font.getBestCmap().items()}
    return known, widths[".notdef"][0] / em


def text_width(text: str, size_px: float, *, is_bold: bool = False) -> float:
    """Return the width in pixels of a line of text, without kerning."""
    known, missing = _advances(_TEXT_FILES[1] if is_bold else _TEXT_FILES[0])
    return size_px * sum(known.get(ord(c), missing) for c in text)


def font_directory() -> Path:
    """Return the directory of the fonts, for renderers that scan one."""
    return Path(_directory().name)


def font_files() -> list[str]:
    """Return the paths of the fonts, for renderers that take files."""
    return sorted(str(path) for path in font_directory().iterdir())
