"""Inline keyboards: what Telegram accepts as ``reply_markup``.

https://core.telegram.org/bots/api#inlinekeyboardmarkup. Reply keyboards are not implemented, and
are refused rather than dropped silently.
"""

from __future__ import annotations

from typing import Any

from bot.localchat.errors import bad_request

CALLBACK_DATA_LIMIT_BYTES = 64
BUTTON_LIMIT = 100
_ACTIONS = ("callback_data", "url", "copy_text", "web_app")


def check_reply_markup(markup: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the inline keyboard to keep with a message, or ``None`` for no keyboard.

    Raises
    ------
    BotApiError
        400, with Telegram's description of the fault.
    """
    if not markup or markup.get("remove_keyboard") or markup.get("force_reply"):
        return None
    rows = markup.get("inline_keyboard")
    if rows is None:
        raise bad_request("the local chat implements inline keyboards only")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array')
    keyboard = [[_check_button(button) for button in row] for row in rows if row]
    if sum(map(len, keyboard)) > BUTTON_LIMIT:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": keyboard} if keyboard else None


def _check_button(button: Any) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: expected an Object")
    if not str(button.get("text", "")).strip():
        raise bad_request('can\'t parse inline keyboard button: field "text" must be non-empty')
    actions = [name for name in _ACTIONS if button.get(name)]
    if len(actions) != 1:
        raise bad_request(
            "can't parse inline keyboard button: text buttons are unallowed in the inline keyboard"
        )
    if len(str(button.get("callback_data", "")).encode()) > CALLBACK_DATA_LIMIT_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    kept: dict[str, Any] = {
        name: str(button[name]) for name in ("text", "callback_data", "url") if button.get(name)
    }
    if copied := button.get("copy_text"):
        if not isinstance(copied, dict):
            raise bad_request("can't parse inline keyboard button: expected an Object")
        kept["copy_text"] = {"text": str(copied.get("text", ""))[:256]}
    if web_app := button.get("web_app"):
        kept["web_app"] = {"url": _check_web_app(web_app)}
    return kept


def _check_web_app(web_app: Any) -> str:
    """Return the address of a Mini App, which Telegram opens with HTTPS only."""
    url = str(web_app.get("url", "")) if isinstance(web_app, dict) else ""
    if not url.startswith("https://"):
        raise bad_request(
            f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed"
        )
    return url
