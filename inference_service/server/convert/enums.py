"""Names and numbers of enumerations, which correspond by rule.

The protocol's name is the class's name and the member's in capitals: ``Preset.VOICE`` is
``PRESET_VOICE``, ``ModelState.ACTIVE`` is ``MODEL_STATE_ACTIVE``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

_WORD_START: Final = re.compile(r"(?<!^)(?=[A-Z])")

Member = TypeVar("Member", bound=Enum)


def protocol_name(member: Enum) -> str:
    """Return the protocol's name of a member."""
    prefix = _WORD_START.sub("_", type(member).__name__).upper()
    return f"{prefix}_{member.name}"


def by_number(members: type[Member], number: Callable[[str], int]) -> dict[int, Member]:
    """Return the members by their number in the protocol.

    Parameters
    ----------
    members : type of Enum
    number : callable
        Returns the number of a protocol's name.

    Raises
    ------
    ValueError
        If the protocol lacks a member.
    """
    return {int(number(protocol_name(member))): member for member in members}
