"""``model_zoo/manifest.toml`` as values: every model there is, and each profile's choice."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference_service.errors import ModelUnknown
from inference_service.pipeline.stages import Task

Kind = Literal["builtin", "wheel", "url"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeightFile(_Strict):
    """A file to fetch, and what it must be."""

    url: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)

    @property
    def name(self) -> str:
        """The file's name on disk: the last part of the address."""
        return PurePosixPath(urlsplit(self.url).path).name


class ModelEntry(_Strict):
    """One model of the manifest.

    ``kind`` says where its parameters come from: it has none beside its code (builtin), an
    installed package carries them (wheel), or they are fetched on demand (url).
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str
    tasks: tuple[Task, ...]
    kind: Kind
    licence: str
    summary: str
    paper: str
    package: str = ""
    sample_rate_hz: int = Field(gt=0)
    hop_s: float = Field(default=0.0, ge=0)
    files: tuple[WeightFile, ...] = ()
    figures: Mapping[str, float] = {}

    @model_validator(mode="after")
    def _files_where_fetched(self) -> Self:
        if (self.kind == "url") != bool(self.files):
            raise ValueError(f"{self.name}: files go with kind 'url'")
        return self

    @property
    def id(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def size_bytes(self) -> int:
        """Bytes to fetch."""
        return sum(file.size_bytes for file in self.files)

    def paths(self, weights: Path) -> tuple[Path, ...]:
        """Where the files lie below the folder of weights."""
        return tuple(weights / self.name / file.name for file in self.files)

    def is_fetched(self, weights: Path) -> bool:
        """Whether every file is there in its full size; the checksum is verified on loading."""
        return all(
            path.is_file() and path.stat().st_size == file.size_bytes
            for path, file in zip(self.paths(weights), self.files, strict=True)
        )


class Catalog(_Strict):
    """Every model, and what each profile serves."""

    profiles: Mapping[str, Mapping[Task, str]]
    models: tuple[ModelEntry, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            raise ValueError("two models of one name")
        for profile, choice in self.profiles.items():
            if missing := set(Task) - set(choice):
                raise ValueError(f"profile {profile} lacks {sorted(missing)}")
            for task, name in choice.items():
                self.entry(task, name)
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
            raise ModelUnknown(f"no task {task!r}; there are {known}", task=task, model=name)
        for model in self.models:
            if model.name == name and task in model.tasks:
                return model
        known = ", ".join(model.name for model in self.models if task in model.tasks)
        raise ModelUnknown(
            f"no model {name!r} for {task}; there are {known}", task=task, model=name
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

    def choice(self, profile: str, overrides: Mapping[str, str]) -> dict[Task, ModelEntry]:
        """Return the model that serves each task, the profile's or the one named instead.

        Raises
        ------
        ModelUnknown
            If an override names no task, or no model of the task.
        """
        choice = {task: self.entry(task, name) for task, name in self.profiles[profile].items()}
        for task, name in overrides.items():
            entry = self.entry(task, name)
            choice[Task(task)] = entry
        return choice


def decode_catalog(text: str) -> Catalog:
    """Read the text of a manifest.

    Raises
    ------
    pydantic.ValidationError
        If it does not follow the schema.
    """
    return Catalog.model_validate(tomllib.loads(text))
