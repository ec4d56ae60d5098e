"""The bot as a process of its own, with a practice page of a few bytes.

``python -m tests.attack.practising_bot FOLDER``; the settings are those of the environment.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import bot.__main__
from bot.practice.built import Built

PAGE = b"<!doctype html><title>Practise</title>"


def main() -> None:
    """Run until a signal."""
    folder = Path(sys.argv[1])
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "page-0123456789.js").write_bytes(b"//" + bytes(100_000))
    (folder / "offline.html").write_bytes(PAGE + b"<!--practice-data-->")
    with patch("bot.__main__.Built", lambda: Built(folder)):
        bot.__main__.main()


if __name__ == "__main__":
    main()
