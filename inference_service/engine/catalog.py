"""The manifest ``model_zoo/manifest.toml`` as values: the models, and the profiles' choices."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from inference_service.errors import ModelUnknown
from inference_service.pipeline.stages import Task

Kind = Literal["builtin", "wheel", "bundled", "url"]

ZOO: Final = Path(str(resources.files("model_zoo")))
"""Folder of the manifest; paths of bundled files are relative to it."""

_FACTORY: Final = re.compile(r"inference_service(\.[a-z]\w*)+:[A-Za-z]\w*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundledFile(_Strict):
    """A file that comes with Notabot; ``path`` is relative to the manifest."""

    path: str = Field(pattern=r"^\w+(/\w+)*\.(safetensors|json)$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def locate(self, folder: Path) -> Path:
        """Return the file's path; ``folder``, used for published files, is ignored."""
        return ZOO / self.path

    def is_present(self, folder: Path) -> bool:
        """Whether the file exists; its checksum is verified on loading."""
        return self.locate(folder).is_file()


class InstalledFile(_Strict):
    """A file that an installed package brings; ``installed`` is relative to ``sys.prefix``."""

    installed: str = Field(pattern=r"^share(/\w[\w.,()-]*)+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def locate(self, folder: Path) -> Path:
        """Return the file's path; ``folder``, used for published files, is ignored."""
        return Path(sys.prefix) / self.installed

    def is_present(self, folder: Path) -> bool:
        """Whether the file exists; its checksum is verified on loading."""
        return self.locate(folder).is_file()


class PublishedFile(_Strict):
    """A file to fetch from its publisher, with its checksum and size."""

    url: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)

    @property
    def name(self) -> str:
        """Name of the file on disk: the last part of the address."""
        return PurePosixPath(urlsplit(self.url).path).name

    def locate(self, folder: Path) -> Path:
        """Return the file's path, once fetched, in the folder of its model."""
        return folder / self.name

    def is_present(self, folder: Path) -> bool:
        """Whether the file exists in full size; its checksum is verified on loading."""
        path = self.locate(folder)
        return path.is_file() and path.stat().st_size == self.size_bytes


class ModelEntry(_Strict):
    """One model of the manifest; a ``model_files.ModelFiles``.

    ``factory`` is ``"module:function"``, imported when the model is loaded and called with the
    entry and the :class:`~inference_service.settings.ModelSettings`. It may only name modules of
    this service: the manifest is shipped with it, and is not a way to run other code.

    ``kind`` is the origin of the parameters: none beside the code (builtin), part of an installed
    package (wheel), part of Notabot (bundled), or fetched on demand (url). Packages whose own code
    reads their parameters have no files here.

    ``terms`` is the address of the terms of fetched files. Files for ``non_commercial`` use are
    fetched only for those who agree to them. ``gate`` is the page on which their publisher grants
    access to files that need a token.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str
    tasks: tuple[Task, ...]
    factory: str
    kind: Kind
    licence: str
    terms: str = ""
    non_commercial: bool = False
    gate: str = ""
    summary: str
    paper: str
    package: str = ""
    sample_rate_hz: int = Field(gt=0)
    hop_s: float = Field(default=0.0, ge=0)
    files: tuple[PublishedFile | BundledFile | InstalledFile, ...] = ()
    figures: Mapping[str, float] = {}

    @model_validator(mode="after")
    def _files_go_with_kind(self) -> Self:
        found = {type(file) for file in self.files}
        allowed: dict[Kind, bool] = {
            "builtin": not found,
            "wheel": found <= {InstalledFile},
            "bundled": found == {BundledFile},
            "url": found == {PublishedFile},
        }
        if not allowed[self.kind]:
            raise ValueError(
                f"{self.name}: kind 'url' has files with a url, kind 'bundled' files with a path, "
                "kind 'wheel' may have installed files, and kind 'builtin' has none"
            )
        return self

    @model_validator(mode="after")
    def _terms_can_be_read(self) -> Self:
        if self.non_commercial and not self.terms:
            raise ValueError(f"{self.name}: nobody can agree to terms without an address")
        return self

    @field_validator("factory")
    @classmethod
    def _factory_is_ours(cls, value: str) -> str:
        if not _FACTORY.fullmatch(value):
            raise ValueError(f"not 'inference_service.MODULE:FUNCTION': {value!r}")
        return value

    @property
    def id(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def published(self) -> tuple[PublishedFile, ...]:
        """The files that have to be fetched."""
        return tuple(file for file in self.files if isinstance(file, PublishedFile))

    @property
    def size_bytes(self) -> int:
        """Total size of the files to fetch."""
        return sum(file.size_bytes for file in self.published)

    @property
    def is_restricted(self) -> bool:
        """Whether fetching takes somebody's agreement or token."""
        return self.non_commercial or bool(self.gate)

    def paths(self, weights: Path) -> tuple[Path, ...]:
        """Return the paths of the files; fetched ones are below the folder of weights."""
        return tuple(file.locate(weights / self.name) for file in self.files)

    def is_fetched(self, weights: Path) -> bool:
        """Whether every file is on this machine; the checksums are verified on loading."""
        return all(file.is_present(weights / self.name) for file in self.files)


def _as_names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_names), Field(min_length=1)]
"""Names of models in order of preference; a single name may be written without brackets."""


class Catalog(_Strict):
    """All models, and for each profile the models of each task, in order of preference."""

    profiles: Mapping[str, Mapping[Task, Names]]
    models: tuple[ModelEntry, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            raise ValueError("two models of one name")
        for profile, choice in self.profiles.items():
            if missing := set(Task) - set(choice):
                raise ValueError(f"profile {profile} lacks {sorted(missing)}")
            for task, candidates in choice.items():
                *preferred, last = (self.entry(task, name) for name in candidates)
                if asking := [entry.name for entry in preferred if entry.is_restricted]:
                    raise ValueError(
                        f"profile {profile}: a start fetches {asking} without asking anyone"
                    )
                if last.published:
                    raise ValueError(
                        f"profile {profile}: the last model for {task} needs a download"
                    )
        return self

    def entry(self, task: str, name: str) -> ModelEntry:
        """Return the model of that name for that task.

        Raises
        ------
        ModelUnknown
            If there is no such task, or no such model for it.
        """
        if task not in set(Task):
            known = ", ".join(Task)
            raise ModelUnknown(f"no task {task!r}; known tasks: {known}", task=task, model=name)
        for model in self.models:
            if model.name == name and task in model.tasks:
                return model
        known = ", ".join(model.name for model in self.models if task in model.tasks)
        raise ModelUnknown(
            f"no model {name!r} for {task}; known tasks: {known}", task=task, model=name
        )

    def named(self, name: str) -> ModelEntry:
        """Return the model of that name.

        Raises
        ------
        ModelUnknown
            If there is none.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise ModelUnknown(f"no model {name!r} in the manifest", task="", model=name)

    def candidates(
        self, profile: str, overrides: Mapping[str, str]
    ) -> dict[Task, tuple[ModelEntry, ...]]:
        """Return the models for each task, the preferred one first; for an override, it alone.

        Raises
        ------
        ModelUnknown
            If an override names no task, or no model of the task.
        """
        candidates = {
            task: tuple(self.entry(task, name) for name in names)
            for task, names in self.profiles[profile].items()
        }
        for task, name in overrides.items():
            entry = self.entry(task, name)
            candidates[Task(task)] = (entry,)
        return candidates


def decode_catalog(text: str) -> Catalog:
    """Read the text of a manifest.

    Raises
    ------
    pydantic.ValidationError
        If it does not follow the schema.
    """
    return Catalog.model_validate(tomllib.loads(text))
