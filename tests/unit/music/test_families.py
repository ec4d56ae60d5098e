"""Families of instruments."""

from __future__ import annotations

import pytest

from inference_service.music.families import FAMILIES, family_of, program_of


def test_every_program_has_a_family() -> None:
    assert {family_of(program) for program in range(128)} == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_written_for_one_of_its_own(family: str) -> None:
    assert family_of(program_of(family)) == family


@pytest.mark.parametrize(
    ("program", "family"),
    [(0, "piano"), (25, "guitar"), (33, "bass"), (40, "strings"), (48, "strings"), (52, "voice"),
     (55, "synth"), (56, "brass"), (66, "winds"), (73, "winds"), (81, "synth")],
)  # fmt: skip
def test_programs(program: int, family: str) -> None:
    assert family_of(program) == family
