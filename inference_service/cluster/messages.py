"""What the two ends of a call send each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Callback:
    """Stands for a function among the arguments, which stays with the caller."""

    place: int


@dataclass(frozen=True, slots=True)
class Called:
    """The function at a place among the arguments was called."""

    place: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """The work goes on."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The work is done; the list holds one reference to what it returned."""

    reference: list[Any]


@dataclass(frozen=True, slots=True)
class Raised:
    """The work failed with an error of :mod:`inference_service.errors`."""

    code: str
    cause: str
    params: dict[str, str | int | float]


Message: TypeAlias = Called | Alive | Returned | Raised
