"""Names of keys in each language."""

from __future__ import annotations

from collections.abc import Mapping

from bot.client.types import Key
from bot.i18n import Translator


def key_name(key: Key, t: Translator) -> str:
    """A key by its name in the language: "A minor", "до-диез минор"."""
    return t(f"key.{key.mode}", tonic=tonic_name(key.tonic, t))


def tonic_name(tonic: str, t: Translator) -> str:
    """A tonic by its name in the language: "C♯", "до-диез"."""
    signs = tonic[1:].replace("#", t("note.sharp")).replace("b", t("note.flat"))
    return t(f"note.{tonic[:1]}") + signs


def say_of_keys(text: str, t: Translator, values: Mapping[str, str | Key]) -> str:
    """A text into which names of keys are put, among other values."""
    return t(text, **{k: key_name(v, t) if isinstance(v, Key) else v for k, v in values.items()})
