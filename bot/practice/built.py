"""The built files of the page: what ``web/practice`` was compiled to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
PAGE: Final = "index.html"

FOREVER: Final = "public, max-age=31536000, immutable"
ANEW: Final = "no-cache"

_FOLDERS: Final = ("assets", "soundbank")
_ALONE: Final = (PAGE, "offline.html")
_HASHED: Final = re.compile(r"[.-][0-9A-Za-z_-]{8,}\.\w+$")
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".ogg": "audio/ogg",
    ".txt": "text/plain; charset=utf-8",
}


class Built:
    """The files, listed once: no other path is ever opened.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {name: folder / name for name in _ALONE if (folder / name).is_file()}
        for part in _FOLDERS:
            for path in (folder / part).rglob("*"):
                if path.is_file():
                    self._files[path.relative_to(folder).as_posix()] = path

    def __bool__(self) -> bool:
        """Whether there is a page."""
        return PAGE in self._files

    def find(self, name: str) -> Path | None:
        """Return the file of a name, or None."""
        return self._files.get(name)


def media_type(name: str) -> str:
    """The type with which a file is served."""
    return _TYPES.get(Path(name).suffix, "application/octet-stream")


def caching(name: str) -> str:
    """How long a browser may keep a file: for ever if its content is part of its name."""
    return FOREVER if _HASHED.search(name) else ANEW
