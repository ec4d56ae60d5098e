"""deploy/sbom.py: the list of what is installed."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

from deploy import sbom
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def document() -> dict[str, list[dict[str, object]]]:
    return sbom.describe_packages()


@pytest.fixture(scope="module")
def needs() -> dict[str, set[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    alone = {"service": (ROOT / "deploy" / "no-deps-service.txt").read_text()}
    return sbom.find_needs(project, alone)


def test_every_installed_package_is_listed(
    document: dict[str, list[dict[str, object]]],
) -> None:
    listed = {(c["name"], c["version"]) for c in document["components"]}
    folder = sysconfig.get_path("purelib")  # not those that a package brings inside itself
    installed = {(d.metadata["Name"], d.version) for d in distributions(path=[folder])}
    assert {item for item in installed if item[0] != "notabot"} <= listed


def test_every_use_of_the_gpl_is_stated(document: dict[str, list[dict[str, object]]]) -> None:
    names = sbom.list_gpl(document["components"])
    assert "chord-extractor" in names
    assert set(names) <= sbom.GPL_USES.keys()
    report = sbom.write_report(document["components"], {})
    assert "inference_service/harmony/chordino_worker.py" in report
    assert (ROOT / "inference_service/harmony/chordino_worker.py").exists()


@pytest.mark.parametrize(
    ("licence", "is_gpl"),
    [
        ("GPL-2.0-only", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("LGPL-3.0-only", False),
        ("GNU Lesser General Public License v3", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_recognised(licence: str, is_gpl: bool) -> None:
    component = {"type": "library", "name": "A_b", "licenses": [{"license": {"name": licence}}]}
    assert sbom.list_gpl([component]) == (["a-b"] if is_gpl else [])


def test_needs_follow_dependencies_and_extras(needs: dict[str, set[str]]) -> None:
    assert {"aiogram", "magic-filter", "grpcio"} <= needs["bot"]
    assert not {"torch", "chord-extractor"} & needs["bot"]
    assert {"torch", "sympy", "chord-extractor"} <= needs["service"]
    assert {"cyclonedx-bom", "fqdn"} <= needs["dev"]  # by cyclonedx-python-lib[validation]


def test_models_have_their_hashes() -> None:
    models = {model["name"]: model for model in sbom.describe_models()}
    listed = (ROOT / "model_zoo" / "manifest.toml").read_text()
    for file in models["notabot-notes"]["components"]:
        [digest] = file["hashes"]
        assert digest["content"] in listed
    assert models["notabot-notes"]["licenses"]


def test_what_the_practice_page_brings_into_browsers_is_listed() -> None:
    page = {component["name"]: component for component in sbom.describe_page()}
    shipped = (ROOT / "web" / "practice" / "tools" / "licences.ts").read_text()
    table = shipped.partition("const SHIPPED")[2].partition("};")[0]
    assert set(page) == set(re.findall(r'^  "?([\w@/-]+)"?: \{', table, re.MULTILINE))
    for component in page.values():
        [digest] = component["hashes"]
        assert digest["alg"] == "SHA-512"
        assert len(digest["content"]) == 128
    report = sbom.write_report(page.values(), {})
    packages, _, of_page = report.partition("## In the practice page")
    assert "signalsmith-stretch | 1." in of_page
    assert "signalsmith" not in packages


def _package(folder: Path, content: str) -> None:
    """Install a package by hand; its RECORD states the hash of ``value = 1``."""
    info = folder / "lib" / "one-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "lib" / "one.py").write_text(content)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: one\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        "one.py,sha256=WFyTZm_LBGt7Jk0_pzICqio4JUroKks7oZ6HPC1amIY,10\n"
        "gone.py,sha256=AAAA,1\none-1.0.dist-info/METADATA,,\n"
    )


@pytest.mark.parametrize(
    ("content", "is_original"), [("value = 1\n", True), ("value = 2\n", False)]
)
def test_a_changed_file_is_noticed(tmp_path: Path, content: str, is_original: bool) -> None:
    _package(tmp_path, content)
    files = list(sbom.list_files(distributions(path=[str(tmp_path / "lib")]), tmp_path))
    assert {file.path: file.is_original for file in files} == {
        "lib/one.py": is_original,
        "lib/one-1.0.dist-info/METADATA": True,
    }
    sums = "".join(f"{file.sha256}  {file.path}\n" for file in files)
    subprocess.run(
        ["sha256sum", "--check", "--strict"], input=sums, text=True, cwd=tmp_path, check=True
    )
