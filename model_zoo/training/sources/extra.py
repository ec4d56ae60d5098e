"""Imports libraries of the extra ``training``, which only some sources need."""

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
        If it cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(f"{name} is missing ({error}); make setup installs it") from error
