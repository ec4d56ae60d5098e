"""The button under a page that opens the practice page."""

from __future__ import annotations

from dataclasses import dataclass

from aiogram.types import InlineKeyboardButton, WebAppInfo

from bot.buttons import RenderButton, view_code
from bot.client.types import Result
from bot.i18n import Translator
from bot.practice.links import Link, LinkSigner

PATH = "practice/"


@dataclass(frozen=True, slots=True)
class Invitations:
    """Makes links to the practice page.

    Parameters
    ----------
    signer : LinkSigner
    base_url : str
        Under which the bot is reached; ends with a slash.
    in_mini_app : bool
        Whether private chats open the page as a Mini App. Telegram takes addresses with HTTPS only,
        and no Mini Apps from groups, where the button is a plain link.
    """

    signer: LinkSigner
    base_url: str
    in_mini_app: bool

    def button(
        self,
        result: Result,
        title: str,
        *,
        person_id: int,
        chat_id: int,
        thread_id: int | None,
        t: Translator,
    ) -> InlineKeyboardButton:
        """Return the button for a result as it is shown."""
        in_mini_app = self.in_mini_app and person_id == chat_id
        token = self.signer.sign(
            RenderButton(
                result_id=result.result_id,
                view_code=view_code(
                    result.view, simple_chords=result.simple_chords, pitches=result.pitches
                ),
                transpose_semitones=result.transpose_semitones,
            ),
            title,
            person_id=person_id,
            chat_id=chat_id,
            thread_id=thread_id,
            language=t.language,
            in_telegram=in_mini_app,
        )
        text, url = t("button.practise"), self.address(token)
        if in_mini_app:
            return InlineKeyboardButton(text=text, web_app=WebAppInfo(url=url))
        return InlineKeyboardButton(text=text, url=url)

    def for_any_browser(self, link: Link) -> str:
        """Return an address that shows the same without Telegram."""
        token = self.signer.sign(
            link.shown,
            link.title,
            person_id=link.person_id,
            chat_id=link.chat_id,
            thread_id=link.thread_id,
            language=link.language,
        )
        return self.address(token)

    def address(self, token: str) -> str:
        """Return the address of a link. Telegram appends its own parameters after an ampersand."""
        return f"{self.base_url}{PATH}#link={token}"
