"""The commands of the gallery are valid for ``notabot``, and each has its page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from inference_service.cli.command import build_parser

ROOT = Path(__file__).parents[3]
GALLERY = ROOT / "docs" / "gallery"
COMPARED = GALLERY / "before-after"
COMMANDS = re.findall(
    r"^notabot ((?:transcribe|continue) .+)$",
    (GALLERY / "README.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_there_are_twelve_pages_with_a_command_each() -> None:
    pages = {path.stem for path in GALLERY.glob("*.png")}
    made = [build_parser().parse_args(shlex.split(c)).out.name for c in COMMANDS]
    assert len(made) == 12
    assert sorted(made) == sorted(pages)


def test_make_gallery_makes_every_picture_in_docs() -> None:
    docs = ROOT / "docs"
    pictures = {path for ending in ("png", "svg", "jpg") for path in docs.rglob(f"*.{ending}")}
    programs = {docs / "images" / name for name in ("chat.png", "planning.png", "practice.png")}
    assert pictures == {*GALLERY.glob("*.png"), *COMPARED.glob("*.png"), *programs}


def test_every_recording_has_a_small_page_before_and_after() -> None:
    text = (GALLERY / "before-after.md").read_text(encoding="utf-8")
    shown = re.findall(r"\]\((before-after/\S+?)-(before|after)\.png\)", text)
    names = {name for name, _ in shown}
    assert len(names) == 12
    assert len(shown) == 2 * len(names)
    assert {GALLERY / f"{name}-{state}.png" for name, state in shown} == {*COMPARED.glob("*.png")}
    assert all(path.stat().st_size < 60_000 for path in COMPARED.glob("*.png"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood_and_its_page_is_shown(command: str) -> None:
    options = build_parser().parse_args(shlex.split(command))
    assert (ROOT / options.input).is_file()
    page = GALLERY / f"{options.out.name}.png"
    assert page.read_bytes().startswith(b"\x89PNG")
    assert page.stat().st_size < 250_000
    text = (GALLERY / "README.md").read_text(encoding="utf-8")
    assert f"]({page.name})" in text
    if command.startswith("continue"):
        sound = page.with_suffix(".ogg")
        assert sound.read_bytes().startswith(b"OggS")
        assert f"]({sound.name})" in text
