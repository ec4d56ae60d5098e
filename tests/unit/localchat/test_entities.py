"""Telegram's HTML and the entities of plain text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.localchat.entities import detect_entities, format_text, parse_html, utf16_length
from bot.localchat.errors import BotApiError


def test_tags_become_entities_with_utf16_offsets() -> None:
    text, entities = parse_html('𝄞 <b>bold <i>both</i></b> <a href="https://example.org/">x</a>')
    assert text == "𝄞 bold both x"
    assert entities == [
        {"type": "bold", "offset": 3, "length": 9},
        {"type": "italic", "offset": 8, "length": 4},
        {"type": "text_link", "offset": 13, "length": 1, "url": "https://example.org/"},
    ]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<strong>x</strong>", [{"type": "bold", "offset": 0, "length": 1}]),
        ("<tg-spoiler>x</tg-spoiler>", [{"type": "spoiler", "offset": 0, "length": 1}]),
        ('<span class="tg-spoiler">x</span>', [{"type": "spoiler", "offset": 0, "length": 1}]),
        ("<B>x</b>", [{"type": "bold", "offset": 0, "length": 1}]),
        ("<b></b>x", []),
        ("<blockquote>x</blockquote>", [{"type": "blockquote", "offset": 0, "length": 1}]),
        (
            "<blockquote expandable>x</blockquote>",
            [{"type": "expandable_blockquote", "offset": 0, "length": 1}],
        ),
        (
            '<pre><code class="language-python">x</code></pre>',
            [{"type": "pre", "offset": 0, "length": 1, "language": "python"}],
        ),
        ('<a href="javascript:alert(1)">x</a>', []),
    ],
)
def test_each_tag(html: str, expected: list[dict[str, object]]) -> None:
    assert parse_html(html) == ("x", expected)


def test_only_telegrams_character_references_are_decoded() -> None:
    assert parse_html("&lt;b&gt; &amp;amp; &quot; &#9835; &nbsp; &copy; & &;")[0] == (
        '<b> &amp; " ♫ &nbsp; &copy; & &;'
    )


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("ы<br>", 'Unsupported start tag "br" at byte offset 2'),
        ("2 < 3 > 1", 'Unsupported start tag "" at byte offset 2'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        (
            "<b>a</i>",
            'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"',
        ),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_bad_markup_is_refused_in_telegrams_words(html: str, reason: str) -> None:
    with pytest.raises(BotApiError) as caught:
        parse_html(html)
    assert caught.value.error_code == 400
    assert caught.value.description == f"Bad Request: can't parse entities: {reason}"


def test_white_space_is_trimmed_and_entities_move_along() -> None:
    assert format_text(" \n<b> a </b>b \n", "HTML", None) == (
        "a b",
        [{"type": "bold", "offset": 0, "length": 2}],
    )


def test_an_unknown_parse_mode_is_refused() -> None:
    with pytest.raises(BotApiError, match="unsupported parse_mode"):
        format_text("*x*", "MarkdownV2", None)


def test_entities_of_plain_text() -> None:
    text = "/score@some_bot see https://example.org/a?b=1. mail me@example.org @notabot #scale"
    found = {
        entity["type"]: text[entity["offset"] : entity["offset"] + entity["length"]]
        for entity in detect_entities(text)
    }
    assert found == {
        "bot_command": "/score@some_bot",
        "url": "https://example.org/a?b=1",
        "email": "me@example.org",
        "mention": "@notabot",
        "hashtag": "#scale",
    }


def test_nothing_is_found_inside_code_paths_and_fractions() -> None:
    assert detect_entities("metre 3/4, and/or, /home/user, 1/2, tool@2.0.1") == []
    assert format_text("<code>/start</code>", "HTML", None)[1] == [
        {"type": "code", "offset": 0, "length": 6}
    ]


@given(st.text(max_size=200))
def test_escaped_text_survives(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse_html(escaped) == (text, [])


@given(st.text(alphabet="<>/b ia&;\"'=", max_size=60))
def test_any_markup_is_parsed_or_refused(text: str) -> None:
    try:
        plain, entities = parse_html(text)
    except BotApiError:
        return
    length = utf16_length(plain)
    for entity in entities:
        assert 0 <= entity["offset"] < entity["offset"] + entity["length"] <= length
