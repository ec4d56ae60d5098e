"""Methods about the bot itself: who it is, its updates, commands, descriptions, files, answers."""

from __future__ import annotations

from typing import Any

from bot.localchat.commands import Command
from bot.localchat.errors import bad_request
from bot.localchat.hub import Hub
from bot.localchat.params import Params

DOWNLOAD_LIMIT_BYTES = 20 * 1024 * 1024
_ANSWER_LIMIT = 200
_ABOUT_LIMITS = {"name": 64, "description": 512, "short_description": 120}


async def get_me(hub: Hub, params: Params) -> dict[str, Any]:
    """``getMe``."""
    return hub.bot | {
        "can_join_groups": False,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


async def log_out(hub: Hub, params: Params) -> bool:
    """``logOut`` and ``close``: nothing to do for a server that serves one bot."""
    return True


async def answer_callback_query(hub: Hub, params: Params) -> bool:
    """``answerCallbackQuery``: the page shows the text as a toast or as an alert."""
    query_id = params.text("callback_query_id")
    chat = hub.callback_chat(query_id)
    text = params.text("text") or ""
    if len(text) > _ANSWER_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    chat.publish(
        {
            "type": "answer",
            "query_id": query_id,
            "text": text,
            "show_alert": params.flag("show_alert"),
        }
    )
    return True


async def get_file(hub: Hub, params: Params) -> dict[str, Any]:
    """``getFile``: refuses files over Telegram's download limit for bots."""
    file = hub.files.get(params.text("file_id") or "")
    if len(file.data) > DOWNLOAD_LIMIT_BYTES:
        raise bad_request("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.file_unique_id,
        "file_size": len(file.data),
        "file_path": file.file_path,
    }


async def set_my_commands(hub: Hub, params: Params) -> bool:
    """``setMyCommands``."""
    commands = params.sequence("commands") or []
    hub.commands.set(params.mapping("scope"), params.text("language_code"), commands)
    hub.announce_profile()
    return True


async def get_my_commands(hub: Hub, params: Params) -> list[Command]:
    """``getMyCommands``."""
    return hub.commands.get(params.mapping("scope"), params.text("language_code"))


async def delete_my_commands(hub: Hub, params: Params) -> bool:
    """``deleteMyCommands``."""
    hub.commands.set(params.mapping("scope"), params.text("language_code"), [])
    hub.announce_profile()
    return True


async def set_about(hub: Hub, params: Params, what: str) -> bool:
    """``setMyName``, ``setMyDescription`` and ``setMyShortDescription``."""
    text = (params.text(what) or "").strip()
    if len(text) > _ABOUT_LIMITS[what]:
        raise bad_request(f"bot {what.replace('_', ' ')} is too long")
    hub.about[what, params.text("language_code") or ""] = text
    hub.announce_profile()
    return True


async def get_about(hub: Hub, params: Params, what: str) -> dict[str, str]:
    """``getMyName``, ``getMyDescription`` and ``getMyShortDescription``."""
    return {what: hub.about_text(what, params.text("language_code") or "")}
