"""Packages of optional extras, which are imported where a setting asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(ImportError):
    """A package of an optional extra is not installed."""


@contextmanager
def needs_extra(extra: str, setting: str) -> Iterator[None]:
    """Import what ``setting`` needs during the block.

    Raises
    ------
    MissingExtra
        If it cannot be imported; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{setting} needs {error.name}, which is not installed: EXTRAS={extra} deploy/setup.sh"
        ) from error
