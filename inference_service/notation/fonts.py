"""The fonts of the engraved pages, taken from wheels that are installed anyway.

Text is set in STIX General, which comes with matplotlib, a dependency of music21. It has the
metrics of Times, by which Verovio measures text, and covers Latin, Cyrillic and accidentals. Its
licence is the SIL Open Font License with a clause on names.

Musical signs within text (the note of a tempo mark, the flat of a chord symbol) are set in Leipzig
(SIL Open Font License), which Verovio ships as WOFF2 in a style sheet. The renderers cannot read
WOFF2, so it is unpacked once per process. They also need the fonts as files in one folder: that of
:func:`keep_in`, or a temporary one.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
import threading
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

import matplotlib
import structlog
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
_MUSIC_FILE: Final = f"{MUSIC_FAMILY}.ttf"
_FILES: Final = (*_TEXT_FILES, _MUSIC_FILE)
_log = structlog.get_logger()
_EMBEDDED: Final = re.compile(rb"base64,([A-Za-z0-9+/=]+)")


_state_lock: Final = threading.Lock()
_wanted: Path | None = None
_folder: Path | None = None
_temporary: tempfile.TemporaryDirectory[str] | None = None


def keep_in(folder: Path | None) -> None:
    """Keep the fonts in this folder, if it can be written; None: in a temporary one."""
    global _wanted, _folder
    with _state_lock:
        if folder != _wanted:
            _wanted, _folder = folder, None


def remove_temporary() -> None:
    """Remove the temporary folder, if there is one; it is made again when it is needed."""
    global _folder, _temporary
    with _state_lock:
        if _temporary is not None:
            _temporary.cleanup()
            _temporary = _folder = None


@cache
def _load_fonts() -> dict[str, bytes]:
    """Return the fonts by the names of their files."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = {name: (folder / name).read_bytes() for name in _TEXT_FILES}
    return {**fonts, _MUSIC_FILE: _unpack_music_font()}


def _unpack_music_font() -> bytes:
    sheet = Path(verovio.__file__).parent / "data" / f"{MUSIC_FAMILY}.css"
    match = _EMBEDDED.search(sheet.read_bytes())
    if match is None:
        raise RuntimeError(f"Verovio's {sheet.name} holds no font")
    font = TTFont(BytesIO(base64.b64decode(match.group(1))), recalcTimestamp=False)
    font.flavor = None
    unpacked = BytesIO()
    font.save(unpacked)
    return unpacked.getvalue()


def _write(folder: Path) -> None:
    """Write the fonts that a folder lacks, each at once; other processes may do the same."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, data in _load_fonts().items():
        path = folder / name
        if path.is_file() and path.read_bytes() == data:
            continue
        partial = folder / f".{name}.{os.getpid()}"
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _choose_folder() -> Path:
    """Write the fonts where they are wanted, or where that is impossible, to a temporary folder."""
    global _temporary
    if _wanted is not None:
        try:
            _write(_wanted)
        except OSError as error:
            _log.warning("fonts_not_stored", reason=error.strerror)
            shutil.rmtree(_wanted, ignore_errors=True)
        else:
            return _wanted
    if _temporary is None or not Path(_temporary.name).is_dir():
        _temporary = tempfile.TemporaryDirectory(prefix="notabot-fonts-")
    _write(Path(_temporary.name))
    return Path(_temporary.name)


@cache
def _advances(file_name: str) -> tuple[dict[int, float], float]:
    """Return the width in ems of each character, and that of a missing glyph."""
    font = TTFont(BytesIO(_load_fonts()[file_name]))
    widths = font["hmtx"]
    em = font["head"].unitsPerEm
    known = {code: widths[name][0] / em for code, name in font.getBestCmap().items()}
    return known, widths[".notdef"][0] / em


def text_width(text: str, size_px: float, *, is_bold: bool = False) -> float:
    """Return the width in pixels of a line of text, without kerning."""
    known, missing = _advances(_TEXT_FILES[1] if is_bold else _TEXT_FILES[0])
    return size_px * sum(known.get(ord(c), missing) for c in text)


def read_font(family: str, *, is_bold: bool = False, is_italic: bool = False) -> bytes:
    """Return a font; musical signs have one style."""
    style = _TEXT_FILES[is_bold + 2 * is_italic]
    return _load_fonts()[_MUSIC_FILE if family == MUSIC_FAMILY else style]


def font_directory() -> Path:
    """Return the directory of the fonts, for renderers that scan one.

    Fonts that are gone are written again.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    global _folder
    with _state_lock:
        if _folder is None or not all((_folder / name).is_file() for name in _FILES):
            _folder = _choose_folder()
        return _folder


def font_files() -> list[str]:
    """Return the paths of the fonts, for renderers that take files."""
    folder = font_directory()
    return sorted(str(folder / name) for name in _FILES)
