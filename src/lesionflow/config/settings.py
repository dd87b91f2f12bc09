"""Where and how fast: `Settings`, from the environment."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lesionflow.config.control_groups import memory_budget_mb, usable_cores
from lesionflow.config.sections.section import Count
from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.errors import ConfigError


class Settings(BaseSettings):
    """Where and how fast; from the environment, never from params.yaml.

    `LESIONFLOW_WORKERS` (without: the cores that this process may use, by its container's quota too), `LESIONFLOW_DEVICE` (`auto`, `cpu`, `cuda`), `LESIONFLOW_MEMORY_MB` (what segmenting a study on a
    CPU may take, the whole process and the study included; without, what its
    container leaves it, and no limit outside of one), `LESIONFLOW_PRIVATE_DIR` (the pseudonym key and the
    list of sources: kept out of repo, DVC and MLflow), `LESIONFLOW_CACHE_DIR` (weights fetched once),
    `LESIONFLOW_ARTIFACTS_URI` (where bundles and pictures go when the MLflow store is a database without a server before it), `LESIONFLOW_ATTESTATIONS_DIR` (where steps
    leave what they attest; beside their outputs without), `LESIONFLOW_TRIGGER` (why a model is trained: `data`, `schedule`, `drift` or `hand`, told at its run),
    `LESIONFLOW_PIPELINE_RUN` (the orchestrator's run that this process belongs to: who ends it closes what was left open) and `MLFLOW_TRACKING_URI`.
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore")

    workers: Count = Field(default_factory=usable_cores)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    memory_mb: Count | None = Field(default_factory=memory_budget_mb)
    private_dir: Path = Field(default_factory=lambda: Path.home() / ".config" / "lesionflow")
    cache_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "lesionflow")
    attestations_dir: Path | None = None
    artifacts_uri: Annotated[str, Field(repr=False)] = ""
    trigger: Literal["data", "schedule", "drift", "hand"] = "hand"
    pipeline_run: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    pseudonym_key: Annotated[str | None, Field(repr=False)] = None
    tracking_uri: Annotated[str, Field(validation_alias="MLFLOW_TRACKING_URI", repr=False)] = Field(
        default_factory=lambda: sqlite_address(Path.cwd() / "mlflow.db"), validation_alias="MLFLOW_TRACKING_URI"
    )


class KeySettings(BaseSettings):
    """Which keys seal bundles: `LESIONFLOW_SIGNING_KEY`, a file; `LESIONFLOW_TRUSTED_KEYS`, a file or a folder of them.

    Where the latter is set, only what these keys signed is predicted with, served or promoted.
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore", env_ignore_empty=True)

    signing_key: Path | None = None
    trusted_keys: Path | None = None


def load_key_settings() -> KeySettings:
    """Read from the environment which keys seal bundles."""
    return KeySettings()


class StudyLimits(BaseSettings):
    """What a study may cost and how large its voxels may be, told from its headers; from the environment, `LESIONFLOW_<NAME>` each.

    Args:
        max_voxels: Of a volume as it is, and as a model sees it: 1024 x 1024 x 2048. CT of 0.3 mm, 1024 x 1024 x 1500, passes.
        max_pixels: Of a picture.
        min_spacing_mm: Light resolves 0.0002 mm, X-ray microscopes some 0.0005 mm.
        max_spacing_mm: The thickest slabs of a single image; slices of PET and SPECT are up to 10 mm apart, of scouts some more.
        max_extent_mm: Of a volume along an axis. The longest scanner sees 1.94 m at once (Badawi et al. 2019, DOI
            10.2967/jnumed.119.226498).
        max_inflation: How many times its packed size an image may have; zlib packs nothing 1032-fold, CT 2- to 4-fold. Masks are
            judged by their image.
        max_study_seconds: What a study may take, at the speed of a machine that is as fast as any.
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore")

    max_voxels: Count = 1 << 31
    max_pixels: Count = 1 << 26
    min_spacing_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-4
    max_spacing_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100.0
    max_extent_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5000.0
    max_inflation: Count = 200
    max_study_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 6 * 3600.0


class ForeignPrograms(BaseSettings):
    """Programs that run models of other makers; from the environment.

    `LESIONFLOW_NNUNET_PYTHON`: a Python that has nnunetv2. `LESIONFLOW_NNUNET_TIMEOUT_S`: the longest that it may take for a study.
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore")

    nnunet_python: Path | None = None
    nnunet_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3600.0


def load_foreign_programs() -> ForeignPrograms:
    """Read from the environment which Python runs which program.

    Raises:
        ConfigError: When a value is out of range.
    """
    try:
        return ForeignPrograms()
    except ValidationError as error:
        raise ConfigError(
            f"The environment's LESIONFLOW_NNUNET_* do not fit; mend: {error.errors()[0]['msg']}."
        ) from error


def load_study_limits() -> StudyLimits:
    """Read the limits from the environment.

    Raises:
        ConfigError: When a value is out of range; the message lists each.
    """
    # Readers ask for each file, and checking the values takes longer than a small one.
    return _study_limits(frozenset(item for item in os.environ.items() if item[0][:11].upper() == "LESIONFLOW_"))


@lru_cache(maxsize=8)
def _study_limits(_told: frozenset[tuple[str, str]]) -> StudyLimits:
    try:
        return StudyLimits()
    except ValidationError as error:
        faults = "; ".join(f"LESIONFLOW_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"The environment's limits do not fit; mend: {faults}.") from error
