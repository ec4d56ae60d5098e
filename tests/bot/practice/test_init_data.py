"""Telegram's word for who opens the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.practice.init_data import MAX_AGE_S, InitDataError, read_person_id
from tests.bot.practice.initdata import signed_init_data
from tests.bot.telegram import TOKEN

NOW_S = 1_800_000_000.0


def test_the_person_is_read() -> None:
    assert read_person_id(signed_init_data(12), TOKEN) == 12


def test_data_of_a_day_are_taken_and_older_ones_are_not() -> None:
    data = signed_init_data(now_s=NOW_S)
    assert read_person_id(data, TOKEN, NOW_S + MAX_AGE_S) == 7
    assert read_person_id(data, TOKEN, NOW_S - 60) == 7
    for now_s in (NOW_S + MAX_AGE_S + 1, NOW_S - 301, 0.0):
        with pytest.raises(InitDataError, match="old"):
            read_person_id(data, TOKEN, now_s)


def _forgeries() -> dict[str, str]:
    good = signed_init_data()
    name, _, value = good.rpartition("=")
    return {
        "nothing": "",
        "no query": "hello",
        "no hash": good.rpartition("&")[0],
        "another hash": f"{name}={'0' * 64}",
        "no ASCII": f"{name}=ж",
        "another bot's": signed_init_data(token=TOKEN + "x"),
        "another person": good.replace("%22id%22%3A+7", "%22id%22%3A+8"),
        "another date": good.replace("auth_date=1", "auth_date=2"),
        "the hash of the login widget": f"{name}={value[::-1]}",
        "a field more": "a=b&" + good,
        "a second person": good + "&user=%7B%22id%22%3A8%7D",
        "very long": good + "&x=" + "y" * 100_000,
    }


@pytest.mark.parametrize("forgery", _forgeries().values(), ids=_forgeries())
def test_forged_data_are_refused(forgery: str) -> None:
    with pytest.raises(InitDataError):
        read_person_id(forgery, TOKEN)


@pytest.mark.parametrize(
    "fields",
    [
        {"user": None},
        {"auth_date": None},
        {"auth_date": "soon"},
        {"auth_date": "9" * 40},
        {"user": "{}"},
        {"user": "[]"},
        {"user": '{"id": "x"}'},
        {"user": "{" + "[" * 1500 + "}"},
        {"user": json.dumps({"first_name": "nobody"})},
    ],
)
def test_signed_data_that_name_nobody_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InitDataError):
        read_person_id(signed_init_data(**fields), TOKEN)
