"""Buttons that open an address."""

from __future__ import annotations

import pytest

from bot.localchat.errors import BotApiError
from bot.localchat.markup import check_reply_markup


def test_mini_apps_and_links_are_kept() -> None:
    rows = [
        [{"text": "Practise", "web_app": {"url": "https://x.org/practice/#link=a", "more": 1}}],
        [{"text": "Practise", "url": "http://127.0.0.1:8080/practice/#link=a"}],
    ]
    kept = check_reply_markup({"inline_keyboard": rows})
    assert kept is not None
    assert kept["inline_keyboard"][0][0]["web_app"] == {"url": "https://x.org/practice/#link=a"}
    assert kept["inline_keyboard"][1] == rows[1]


@pytest.mark.parametrize(
    "web_app", [{"url": "http://x.org"}, {"url": ""}, {"a": 1}, "https://x.org"]
)
def test_mini_apps_need_https(web_app: object) -> None:
    button = {"text": "Practise", "web_app": web_app}
    with pytest.raises(BotApiError, match="Only HTTPS"):
        check_reply_markup({"inline_keyboard": [[button]]})
