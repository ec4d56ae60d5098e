"""Methods that send: messages, single files, albums, chat actions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from bot.localchat.chat import Message
from bot.localchat.entities import format_text, utf16_length
from bot.localchat.errors import bad_request
from bot.localchat.hub import Hub
from bot.localchat.markup import check_reply_markup
from bot.localchat.media import MEDIA_KINDS, describe_file, take_file
from bot.localchat.params import Params

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
ALBUM_SIZES = range(2, 11)
_ALONE_IN_ALBUM = frozenset({"audio", "document"})
_ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


def read_text(values: Mapping[str, Any], entities: list[Any] | None) -> dict[str, Any]:
    """Return ``text`` and ``entities`` of a message.

    Raises
    ------
    BotApiError
        400, if the text is empty, too long or badly marked up.
    """
    text, found = format_text(str(values.get("text") or ""), values.get("parse_mode"), entities)
    if not text:
        raise bad_request("message text is empty")
    if utf16_length(text) > TEXT_LIMIT:
        raise bad_request("message is too long")
    return {"text": text} | ({"entities": found} if found else {})


def read_caption(values: Mapping[str, Any], entities: list[Any] | None) -> dict[str, Any]:
    """Return ``caption`` and ``caption_entities`` of a message, or nothing if it has none.

    Raises
    ------
    BotApiError
        400, if the caption is too long or badly marked up.
    """
    text, found = format_text(str(values.get("caption") or ""), values.get("parse_mode"), entities)
    if utf16_length(text) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": found} if found else {})


def read_media_caption(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the caption of an ``InputMedia``; see :func:`read_caption`."""
    return read_caption(item, Params(item).sequence("caption_entities"))


async def send_message(hub: Hub, params: Params) -> Message:
    """``sendMessage``."""
    chat = hub.chat_of(params)
    content = read_text(params.values, params.sequence("entities"))
    markup = check_reply_markup(params.mapping("reply_markup"))
    reply_to = hub.reply_of(chat, params)
    hub.flood.admit(chat.id)
    return hub.post(chat, content, reply_to=reply_to, markup=markup)


async def send_file(hub: Hub, params: Params, kind: str) -> Message:
    """``sendPhoto``, ``sendDocument``, ``sendAudio``, ``sendVoice`` and ``sendVideo``."""
    chat = hub.chat_of(params)
    content = read_caption(params.values, params.sequence("caption_entities"))
    markup = check_reply_markup(params.mapping("reply_markup"))
    reply_to = hub.reply_of(chat, params)
    hub.flood.admit(chat.id)
    file = take_file(hub.files, params, params.values.get(kind), kind)
    content = describe_file(file, params.values) | content
    return hub.post(chat, content, reply_to=reply_to, markup=markup)


async def send_media_group(hub: Hub, params: Params) -> list[Message]:
    """``sendMediaGroup``: photos and videos together, or audio files, or documents alone."""
    chat = hub.chat_of(params)
    items = params.sequence("media") or []
    if not items:
        raise bad_request("there are no messages to send")
    if len(items) not in ALBUM_SIZES:
        many = len(items) >= ALBUM_SIZES.stop
        raise bad_request(f"too {'many' if many else 'few'} messages to send as an album")
    if not all(isinstance(item, dict) for item in items):
        raise bad_request("can't parse InputMedia: expected an Object")
    kinds = [str(item.get("type")) for item in items]
    for kind in kinds:
        if kind not in MEDIA_KINDS or kind in {"voice", "video_note"}:
            raise bad_request(f"type {kind!r} can't be used in an album")
        if kind in _ALONE_IN_ALBUM and set(kinds) != {kind}:
            raise bad_request(f"{kind.title()} can't be mixed with other media types")
    reply_to = hub.reply_of(chat, params)
    captions = [read_media_caption(item) for item in items]
    hub.flood.admit(chat.id, len(items))
    # Every file is checked before the first message appears, so that no album is incomplete.
    files = [
        take_file(hub.files, params, item.get("media"), kind)
        for item, kind in zip(items, kinds, strict=True)
    ]
    group = {"media_group_id": str(secrets.randbits(53))}
    return [
        hub.post(chat, group | describe_file(file, item) | caption, reply_to=reply_to)
        for file, item, caption in zip(files, items, captions, strict=True)
    ]


async def send_chat_action(hub: Hub, params: Params) -> bool:
    """``sendChatAction``: the page shows it for five seconds, or until the next message."""
    chat = hub.chat_of(params)
    action = params.text("action")
    if action not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat.publish({"type": "action", "action": action})
    return True
