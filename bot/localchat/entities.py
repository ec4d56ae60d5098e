"""Formatted text: Telegram's HTML to plain text with entities, and entities found in plain text.

Offsets and lengths count UTF-16 code units, as everywhere in the Bot API
(https://core.telegram.org/bots/api#messageentity). :func:`parse_html` accepts the tags listed
under https://core.telegram.org/bots/api#html-style and refuses everything else with the errors
that Telegram gives; offsets inside those errors count bytes of UTF-8.

Deviations: custom emoji become their plain fallback; Markdown is not implemented, and asking for
it is an error rather than a silent loss of formatting.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.localchat.errors import BotApiError, bad_request

Entity = dict[str, Any]

_SIMPLE_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "tg-spoiler": "spoiler",
}
_OTHER_TAGS = frozenset({"a", "blockquote", "span", "tg-emoji"})

_TAG = re.compile(r"""<(/?)([^\s>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>""")
_ATTRIBUTE = re.compile(r"""([^\s=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?""")
# Telegram knows these four names and numbers; it keeps any other "&...;" as written.
_CHARACTER = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_LINK_SCHEMES = ("http://", "https://", "tg://", "mailto:", "tel:")

# Order matters: of two patterns that match at the same place, the earlier wins.
_DETECTED = re.compile(
    r"(?P<url>https?://[^\s<>\"]{1,2000}[^\s<>\".,;:!?)\]])"
    r"|(?P<email>[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[^\W\d_]{2,24})\b"
    r"|(?<![\w/@.])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{1,32})?)(?![\w/])"
    r"|(?<!\w)(?P<mention>@[A-Za-z][A-Za-z0-9_]{3,31})"
    r"|(?<!\w)(?P<hashtag>\#[^\W\d]\w{0,63})"
)


@dataclass
class _OpenTag:
    name: str
    attributes: dict[str, str]
    start: int


def utf16_length(text: str) -> int:
    """Return the number of UTF-16 code units of `text`.

    Examples
    --------
    >>> utf16_length("a𝄞")
    3
    """
    return len(text) + sum(character > "\uffff" for character in text)


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Turn Telegram's HTML into plain text and its entities.

    Parameters
    ----------
    source : str
        What the bot sent with ``parse_mode="HTML"``.

    Returns
    -------
    text : str
        The plain text, not yet trimmed.
    entities : list of dict
        ``MessageEntity`` objects, the outer before the inner.

    Raises
    ------
    BotApiError
        400 ``can't parse entities: ...``, for an unknown, unclosed or mismatched tag.

    Examples
    --------
    >>> parse_html("<b>A &amp; B</b>")
    ('A & B', [{'type': 'bold', 'offset': 0, 'length': 5}])
    """
    pieces: list[str] = []
    entities: list[Entity] = []
    stack: list[_OpenTag] = []
    length = 0
    position = 0
    while position < len(source):
        opening = source.find("<", position)
        stop = len(source) if opening < 0 else opening
        piece = _CHARACTER.sub(lambda match: html.unescape(match.group()), source[position:stop])
        pieces.append(piece)
        length += utf16_length(piece)
        if opening < 0:
            break
        tag = _TAG.match(source, opening)
        if tag is None:
            side = "end" if source.startswith("</", opening) else "start"
            raise _unparsable(source, opening, f"Unclosed {side} tag")
        if tag[1]:
            entity = _close(source, opening, tag[2].lower(), stack, length)
            if entity is not None:
                entities.append(entity)
        else:
            stack.append(_open(source, opening, tag[2].lower(), tag[3], length))
        position = tag.end()
    if stack:
        raise bad_request(
            "can't parse entities: Can't find end tag corresponding to start tag "
            f'"{stack[-1].name}"'
        )
    return "".join(pieces), _sorted(_merge_code_language(entities))


def detect_entities(text: str, taken: Iterable[Entity] = ()) -> list[Entity]:
    """Find commands, links, mentions, hashtags and addresses in plain text.

    Parameters
    ----------
    text : str
        A message's text or caption.
    taken : iterable of dict
        Entities that hide others: nothing is found inside code or inside a link.

    Returns
    -------
    list of dict
        The entities found, in the order of the text.
    """
    hiding = [
        (entity["offset"], entity["offset"] + entity["length"])
        for entity in taken
        if entity["type"] in {"code", "pre", "text_link", "text_mention"}
    ]
    found: list[Entity] = []
    for match in _DETECTED.finditer(text):
        offset = utf16_length(text[: match.start()])
        length = utf16_length(match.group())
        if not any(start < offset + length and offset < stop for start, stop in hiding):
            found.append({"type": str(match.lastgroup), "offset": offset, "length": length})
    return found


def format_text(
    text: str, parse_mode: object, entities: list[Any] | None
) -> tuple[str, list[Entity]]:
    """Read a bot's text as Telegram does: parse, trim, detect.

    Parameters
    ----------
    text : str
        The ``text`` or ``caption`` parameter.
    parse_mode : object
        ``"HTML"``, or nothing for plain text.
    entities : list of dict, optional
        Given in place of a parse mode; ignored beside one, as in Telegram.

    Returns
    -------
    text : str
        The plain text, without white space at its ends.
    entities : list of dict
        All entities of it.

    Raises
    ------
    BotApiError
        400, for markup that cannot be parsed and for an unknown parse mode.
    """
    if parse_mode and str(parse_mode).lower() != "html":
        raise bad_request("unsupported parse_mode")
    plain, given = parse_html(text) if parse_mode else (text, _check_given(entities or []))
    plain, given = _trim(plain, given)
    return plain, _sorted([*given, *detect_entities(plain, given)])


def _check_given(entities: list[Any]) -> list[Entity]:
    """Check entities given by the bot; refuse malformed ones."""
    for entity in entities:
        if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
            raise bad_request("can't parse MessageEntity: type must be non-empty")
        if not all(isinstance(entity.get(name), int) for name in ("offset", "length")):
            raise bad_request("can't parse MessageEntity: offset and length must be Integers")
    return list(entities)


def _open(source: str, opening: int, name: str, rest: str, start: int) -> _OpenTag:
    if name not in _SIMPLE_TAGS and name not in _OTHER_TAGS:
        raise _unparsable(source, opening, f'Unsupported start tag "{name}"')
    attributes = {
        match[1].lower(): html.unescape(match[2] or match[3] or match[4] or "")
        for match in _ATTRIBUTE.finditer(rest)
    }
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise _unparsable(source, opening, 'Tag "span" must have class "tg-spoiler"')
    return _OpenTag(name, attributes, start)


def _close(
    source: str, opening: int, name: str, stack: list[_OpenTag], length: int
) -> Entity | None:
    if not stack:
        raise _unparsable(source, opening, "Unexpected end tag")
    tag = stack.pop()
    # Telegram lets "</>" close whatever is open.
    if name and name != tag.name:
        raise _unparsable(
            source,
            opening,
            "Unmatched end tag",
            f', expected "</{tag.name}>", found "</{name}>"',
        )
    entity: Entity = {"type": "", "offset": tag.start, "length": length - tag.start}
    if entity["length"] == 0:
        return None
    match tag.name:
        case "a":
            url = tag.attributes.get("href", "")
            if not url.lower().startswith(_LINK_SCHEMES):
                return None  # Telegram drops a link that leads nowhere and keeps its text
            return entity | {"type": "text_link", "url": url}
        case "blockquote":
            expandable = "expandable" in tag.attributes
            return entity | {"type": "expandable_blockquote" if expandable else "blockquote"}
        case "span":
            return entity | {"type": "spoiler"}
        case "tg-emoji":
            return None
        case "code" if tag.attributes.get("class", "").startswith("language-"):
            return entity | {"type": "code", "language": tag.attributes["class"][9:]}
    return entity | {"type": _SIMPLE_TAGS[tag.name]}


def _merge_code_language(entities: list[Entity]) -> list[Entity]:
    """Make ``<pre><code class="language-x">`` one ``pre`` entity that names its language."""
    languages = {
        (entity["offset"], entity["length"]): entity.pop("language")
        for entity in entities
        if "language" in entity
    }
    merged: list[Entity] = []
    for entity in entities:
        span = (entity["offset"], entity["length"])
        if span in languages and entity["type"] == "pre":
            merged.append(entity | {"language": languages[span]})
        elif not (
            entity["type"] == "code"
            and span in languages
            and any(e["type"] == "pre" and (e["offset"], e["length"]) == span for e in entities)
        ):
            merged.append(entity)
    return merged


def _trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Cut white space off both ends of `text` and move its entities along."""
    left = utf16_length(text) - utf16_length(text.lstrip())
    trimmed = text.strip()
    length = utf16_length(trimmed)
    moved: list[Entity] = []
    for entity in entities:
        start = max(0, entity["offset"] - left)
        stop = min(length, entity["offset"] - left + entity["length"])
        if stop > start:
            moved.append(entity | {"offset": start, "length": stop - start})
    return trimmed, moved


def _sorted(entities: list[Entity]) -> list[Entity]:
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))


def _unparsable(source: str, position: int, reason: str, detail: str = "") -> BotApiError:
    byte_offset = len(source[:position].encode())
    return bad_request(f"can't parse entities: {reason} at byte offset {byte_offset}{detail}")
