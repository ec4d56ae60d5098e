"""Names of the files that people keep: after the piece, and after what of it the file holds."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from bot.client.types import Result
from bot.i18n import Translator
from bot.key_names import key_name

PERFORMANCE: Final = "performance"

_REFUSED: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def safe_name(title: str) -> str:
    """Replace characters that file systems refuse."""
    return _REFUSED.sub("_", title)


def score_file_name(file_name: str, result: Result, title: str, t: Translator) -> str:
    """Return the name of a result's file: "Auld Lang Syne – lead sheet, D minor.pdf".

    The key is named where the piece was transposed, which a performance never is. A file of a kind
    that this version does not know keeps its suffix.
    """
    path = PurePath(file_name)
    if path.stem == PERFORMANCE:
        return _titled(title, t("file.performance"), path.suffix)
    about = t(f"view.{result.view}").lower()
    if result.transpose_semitones:
        about += f", {key_name(result.rendered_key, t)}"
    return _titled(title, about, path.suffix)


def continuation_file_name(file_name: str, title: str, t: Translator) -> str:
    """Return the name of a continuation's file: "Auld Lang Syne – continuation.pdf"."""
    return _titled(title, t("file.continuation"), PurePath(file_name).suffix)


def _titled(title: str, about: str, suffix: str) -> str:
    return safe_name(f"{title} – {about}{suffix}" if title else f"{about}{suffix}")
