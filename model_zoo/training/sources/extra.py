"""Libraries that only the reading of some sources needs: the extra ``training``."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtra(ImportError):
    """A library of the extra ``training`` is not installed."""


def load_extra(name: str) -> Any:
    """Import a module of the extra ``training``.

    Raises
    ------
    MissingExtra
        With what to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(f"{name} is missing ({error}); make setup installs it") from error
