"""The tables of ``docs/errors.md`` are made from the code."""

from __future__ import annotations

import pytest

from deploy.errors_page import PAGE, fill_tables


def test_the_page_is_up_to_date() -> None:
    assert fill_tables(PAGE.read_text()) == PAGE.read_text()


def test_a_table_is_made_anew_and_the_prose_stays() -> None:
    page = "Before.\n<!-- table: codes -->\nstale\n<!-- end -->\nAfter.\n"
    filled = fill_tables(page)
    row = "| `QUEUE_FULL` | The service holds as many requests as it may; "
    assert row in filled
    assert "stale" not in filled
    assert (filled[:8], filled[-7:]) == ("Before.\n", "After.\n")


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(KeyError, match="colours"):
        fill_tables("<!-- table: colours -->\n<!-- end -->\n")
