"""Names of parts in the margin."""

from __future__ import annotations

import pytest

from inference_service.notation.names import full_name, short_name


@pytest.mark.parametrize(
    ("name", "full", "short"),
    [
        ("Vocals", "Vocals", "Voc."),
        ("MELODY", "Melody", "Mel."),
        ("Violin 2", "Violin 2", "Vln. 2"),
        ("Bass", "Bass", "Bass"),
        ("Accompaniment", "Accompaniment", "Acco."),
        ("SAX", "SAX", "Sax."),
        ("", "", ""),
    ],
)
def test_names(name: str, full: str, short: str) -> None:
    assert full_name(name) == full
    assert short_name(name) == short
