"""Where and how fast: `Settings`, from the environment."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lesionflow.config.sections.section import Count


class Settings(BaseSettings):
    """Where and how fast; from the environment, never from params.yaml.

    `LESIONFLOW_WORKERS`, `LESIONFLOW_DEVICE` (`auto`, `cpu`, `cuda`), `LESIONFLOW_MEMORY_MB` (what segmenting a study on a
    CPU may take, the whole process and the study included; no limit without), `LESIONFLOW_PRIVATE_DIR` (the pseudonym key and the
    list of sources: kept out of repo, DVC and MLflow), `LESIONFLOW_CACHE_DIR` (weights fetched once) and
    `MLFLOW_TRACKING_URI`.
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore")

    workers: Count = Field(default_factory=lambda: len(os.sched_getaffinity(0)))
    device: Literal["auto", "cpu", "cuda"] = "auto"
    memory_mb: Count | None = None
    private_dir: Path = Field(default_factory=lambda: Path.home() / ".config" / "lesionflow")
    cache_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "lesionflow")
    pseudonym_key: Annotated[str | None, Field(repr=False)] = None
    tracking_uri: Annotated[str, Field(validation_alias="MLFLOW_TRACKING_URI", repr=False)] = Field(
        default_factory=lambda: f"sqlite:///{Path.cwd() / 'mlflow.db'}", validation_alias="MLFLOW_TRACKING_URI"
    )
