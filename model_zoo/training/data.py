"""The folder of development data: recordings to measure on, and music to learn from.

The environment variable ``NOTABOT_DATA`` alone names it; commands take another with ``--data``.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NOTABOT_DATA"


def data_folder() -> Path:
    """Return the folder that ``NOTABOT_DATA`` names.

    If the variable is unset or empty, the path is the literal ``$NOTABOT_DATA``. Nothing exists
    there, so that the error about a missing file names the variable.
    """
    return Path(os.environ.get(VARIABLE) or f"${VARIABLE}")
