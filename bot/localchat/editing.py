"""Methods that edit or delete messages, or react to them."""

from __future__ import annotations

import time
from typing import Any

from bot.localchat.chat import Chat, Message
from bot.localchat.errors import bad_request
from bot.localchat.hub import Hub
from bot.localchat.markup import check_reply_markup
from bot.localchat.media import MEDIA_KINDS, describe_file, take_file
from bot.localchat.params import Params, whole_number
from bot.localchat.sending import read_caption, read_media_caption, read_text

_TEXT_KEYS = frozenset({"text", "entities"})
_CAPTION_KEYS = frozenset({"caption", "caption_entities"})
_DELETE_LIMIT = 100


async def edit_message_text(hub: Hub, params: Params) -> Message:
    """``editMessageText``; as in Telegram, a keyboard that is not given again is removed."""
    chat, message = hub.own_message(params, "edit")
    if "text" not in message:
        raise bad_request("there is no text in the message to edit")
    content = read_text(params.values, params.sequence("entities"))
    return _edit(hub, chat, message, _TEXT_KEYS, content, params)


async def edit_message_caption(hub: Hub, params: Params) -> Message:
    """``editMessageCaption``; without a caption, the old one is removed."""
    chat, message = hub.own_message(params, "edit")
    if "text" in message:
        raise bad_request("there is no caption in the message to edit")
    content = read_caption(params.values, params.sequence("caption_entities"))
    return _edit(hub, chat, message, _CAPTION_KEYS, content, params)


async def edit_message_media(hub: Hub, params: Params) -> Message:
    """``editMessageMedia``: another file, with its own caption."""
    chat, message = hub.own_message(params, "edit")
    media = params.mapping("media") or {}
    kind = str(media.get("type"))
    if kind not in MEDIA_KINDS:
        raise bad_request("can't parse InputMedia: type must be non-empty")
    content = read_media_caption(media)
    file = take_file(hub.files, params, media.get("media"), kind)
    content = describe_file(file, media) | content
    return _edit(hub, chat, message, _CAPTION_KEYS | set(MEDIA_KINDS) | _TEXT_KEYS, content, params)


async def edit_message_reply_markup(hub: Hub, params: Params) -> Message:
    """``editMessageReplyMarkup``; without a keyboard, the old one is removed."""
    chat, message = hub.own_message(params, "edit")
    return _edit(hub, chat, message, frozenset(), {}, params)


async def delete_message(hub: Hub, params: Params) -> bool:
    """``deleteMessage``; in a private chat, also for the person's messages."""
    chat = hub.chat_of(params)
    message = chat.find(params.integer("message_id"), "delete")
    chat.remove([message["message_id"]])
    return True


async def delete_messages(hub: Hub, params: Params) -> bool:
    """``deleteMessages``: up to a hundred; missing ones are skipped."""
    chat = hub.chat_of(params)
    message_ids = params.sequence("message_ids") or []
    if not 1 <= len(message_ids) <= _DELETE_LIMIT:
        raise bad_request("message identifiers are not specified or too many")
    chat.remove([found for found in map(whole_number, message_ids) if found is not None])
    return True


async def set_message_reaction(hub: Hub, params: Params) -> bool:
    """``setMessageReaction`` with emoji; an empty list removes the reaction.

    A ``Message`` has no reactions, so they are sent to the page alone.
    """
    chat = hub.chat_of(params)
    message = chat.find(params.integer("message_id"), "react")
    reactions = [item for item in params.sequence("reaction") or [] if isinstance(item, dict)]
    if any(item.get("type") != "emoji" for item in reactions) or len(reactions) > 1:
        raise bad_request("REACTION_INVALID")
    emoji = str(reactions[0].get("emoji", ""))[:8] if reactions else ""
    chat.react(message["message_id"], emoji)
    return True


def _edit(
    hub: Hub,
    chat: Chat,
    message: Message,
    replaced: frozenset[str] | set[str],
    content: dict[str, Any],
    params: Params,
) -> Message:
    markup = check_reply_markup(params.mapping("reply_markup"))
    kept = {
        key: value
        for key, value in message.items()
        if key not in replaced and key not in {"reply_markup", "edit_date"}
    }
    edited = kept | content | ({"reply_markup": markup} if markup else {})
    if edited == {key: value for key, value in message.items() if key != "edit_date"}:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly "
            "the same as a current content and reply markup of the message"
        )
    hub.flood.admit(chat.id)
    edited["edit_date"] = int(time.time())
    chat.replace(edited)
    return edited
