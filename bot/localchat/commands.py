"""The bot's commands and descriptions, by scope and language.

Which list a person sees: https://core.telegram.org/bots/api#determining-list-of-commands.
"""

from __future__ import annotations

import re
from typing import Any

from bot.localchat.errors import bad_request

_NAME = re.compile(r"[a-z0-9_]{1,32}")
_COMMAND_LIMIT = 100
_DESCRIPTION_LIMIT = 256
_PRIVATE_SCOPES = ("all_private_chats", "default")
_SCOPES = frozenset(
    {"all_group_chats", "all_chat_administrators", "chat", "chat_administrators", "chat_member"}
    | set(_PRIVATE_SCOPES)
)

Command = dict[str, str]
_Key = tuple[str, int | None, str]


class CommandBook:
    """What ``setMyCommands`` stored."""

    def __init__(self) -> None:
        self._lists: dict[_Key, list[Command]] = {}

    def set(self, scope: dict[str, Any] | None, language: str | None, commands: list[Any]) -> None:
        """Store a list; an empty one removes it.

        Raises
        ------
        BotApiError
            400, for a command or description that Telegram would refuse.
        """
        if len(commands) > _COMMAND_LIMIT:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        checked = [_check_command(command) for command in commands]
        key = _key(scope, language)
        if checked:
            self._lists[key] = checked
        else:
            self._lists.pop(key, None)

    def get(self, scope: dict[str, Any] | None, language: str | None) -> list[Command]:
        """Return exactly what was stored for a scope and a language."""
        return self._lists.get(_key(scope, language), [])

    def visible(self, chat_id: int, language: str) -> list[Command]:
        """Return the list that a person sees in a private chat."""
        for scope, scope_chat_id in (
            ("chat", chat_id),
            *((name, None) for name in _PRIVATE_SCOPES),
        ):
            for code in (language, ""):
                if found := self._lists.get((scope, scope_chat_id, code)):
                    return found
        return []


def _key(scope: dict[str, Any] | None, language: str | None) -> _Key:
    name = str((scope or {}).get("type", "default"))
    if name not in _SCOPES:
        raise bad_request("can't parse BotCommandScope: unsupported type specified")
    chat_id = (scope or {}).get("chat_id")
    try:
        return name, None if chat_id is None else int(chat_id), language or ""
    except (TypeError, ValueError):
        raise bad_request("chat not found") from None


def _check_command(command: Any) -> Command:
    if not isinstance(command, dict):
        raise bad_request("can't parse BotCommand: expected an Object")
    name = str(command.get("command", "")).removeprefix("/")
    description = str(command.get("description", "")).strip()
    if not _NAME.fullmatch(name):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(description) <= _DESCRIPTION_LIMIT:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": description}
