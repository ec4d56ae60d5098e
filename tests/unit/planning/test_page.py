"""The page's tables: those that take no simulation are up to date, and the others are there."""

from __future__ import annotations

import re

from deploy.planning.page import PAGE, SIZES, fill, quick_tables
from deploy.planning.work import StageTimes

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_quick_tables_are_up_to_date() -> None:
    assert fill(TEXT, quick_tables(StageTimes.load())) == TEXT


def test_every_size_has_its_rows() -> None:
    for table in ("cores", "gpus"):
        [rows] = re.findall(rf"<!-- table: {table} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
        assert [f"| {songs:,} |" in rows for songs in SIZES] == [True] * len(SIZES)


def test_unknown_tables_stay_as_they_are() -> None:
    page = "<!-- table: a -->\nold\n<!-- end --> and <!-- table: b -->\nkept\n<!-- end -->"
    filled = fill(page, {"a": lambda: "new\n"})
    assert (
        filled
        == "<!-- table: a -->\n\nnew\n\n<!-- end --> and <!-- table: b -->\nkept\n<!-- end -->"
    )
