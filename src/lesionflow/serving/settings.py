"""What may be set on the service, from the environment: where and how much, never what changes a mask."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.errors import ConfigError
from lesionflow.serving.several.further_models import FurtherModel, further_models

BYTES_PER_MB = 1_000_000


class ServiceSettings(BaseSettings):
    """`LESIONFLOW_<NAME>` each.

    Args:
        model: `champion`, `challenger`, `previous`, a version number, or the folder of a bundle.
        model_name: The registered model; not needed with the folder of a bundle.
        more_models: Models served beside it: `NAME`, `NAME/ALIAS-OR-VERSION`, `/FOLDER` or `NAME=/FOLDER`, with commas between.
        max_upload_mb: Largest request body.
        max_uploads: Studies received at once; beyond, 429 with `Retry-After`.
        least_upload_kb_s: The slowest that an upload may be.
        max_unpacked_mb: Largest sum of unpacked files in an archive.
        max_files: Most files in an archive, and most parts in a request.
        max_concurrent: Studies segmented at once.
        max_waiting: Studies whose clients may wait for their turn; beyond, 429 with `Retry-After`.
        max_queued: Studies that may be handed in to be fetched later; beyond, 429 with `Retry-After`.
        max_results: Results kept for later download; the oldest go first.
        max_result_age_s: How long a result is kept.
        results_dir: Where; in `state_dir` when not given.
        state_dir: Where accepted studies wait, with the database of jobs; a temporary folder when not given: then a kill loses what was accepted.
        database_url: The database of jobs, as SQLAlchemy writes it; a file in `state_dir` when not given.
        deadline_s: What a study may take, from the moment that work on it begins; beyond, it is ended and its job fails.
        drain_s: How long a service that is told to stop works on what it has begun; then the next one begins it anew.
        access: `open`: whoever asks on loopback, nobody elsewhere; `keys`: who shows an API key; `gateway`: whoever asks, as something in front of the service asks for keys.
        max_hand_ins_minute: How often a minute a key may hand in, cancel and erase; 0: as often as it likes.
        max_reads_minute: How often a minute a key may ask; 0: as often as it likes.
        allowed_hosts: Names by which the service is called, beside its address and loopback: `lesions.example.org, *.example.net`.
        min_free_mb: What must be free on the disks of studies and results for the service to call itself ready.
        follow_s: How often an alias is looked at; 0: what was loaded at first stays.
        load_retry_s: Pause before the model is tried again when it can't be loaded.
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore")

    model: str = "champion"
    model_name: str | None = None
    more_models: str = ""
    max_upload_mb: Annotated[int, Field(ge=1)] = 2048
    max_uploads: Annotated[int, Field(ge=1)] = 16
    least_upload_kb_s: Annotated[float, Field(ge=0)] = 20.0
    max_unpacked_mb: Annotated[int, Field(ge=1)] = 8192
    max_files: Annotated[int, Field(ge=1)] = 20_000
    max_concurrent: Annotated[int, Field(ge=1)] = 1
    max_waiting: Annotated[int, Field(ge=0)] = 4
    max_hand_ins_minute: Annotated[int, Field(ge=0)] = 600
    max_reads_minute: Annotated[int, Field(ge=0)] = 6000
    max_queued: Annotated[int, Field(ge=0)] = 1000
    max_results: Annotated[int, Field(ge=1)] = 2000
    max_result_age_s: Annotated[float, Field(gt=0)] = 24 * 3600.0
    results_dir: Path | None = None
    state_dir: Path | None = None
    database_url: SecretStr | None = None
    deadline_s: Annotated[float, Field(gt=0)] = 6 * 3600.0
    drain_s: Annotated[float, Field(ge=0)] = 30.0
    access: Literal["open", "keys", "gateway"] = "open"
    allowed_hosts: str = ""
    min_free_mb: Annotated[int, Field(ge=0)] = 1024
    follow_s: Annotated[float, Field(ge=0)] = 30.0
    load_retry_s: Annotated[float, Field(gt=0)] = 15.0

    @field_validator("more_models")
    @classmethod
    def _readable(cls, text: str, info: ValidationInfo) -> str:
        further_models(text, info.data.get("model_name"))
        return text

    @property
    def further(self) -> tuple[FurtherModel, ...]:
        """`more_models`, apart."""
        return further_models(self.more_models, self.model_name)

    def database_address(self, kept: Path) -> str:
        """Return where jobs are written: what was set, or a file in the folder where the service keeps what it accepted."""
        return self.database_url.get_secret_value() if self.database_url else sqlite_address(kept / "jobs.db")

    @property
    def host_names(self) -> tuple[str, ...]:
        """`allowed_hosts`, apart."""
        return tuple(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())


def load_service_settings() -> ServiceSettings:
    """Read the settings from the environment.

    Raises:
        ConfigError: When a value is out of range; the message lists each.
    """
    try:
        return ServiceSettings()
    except ValidationError as error:
        faults = "; ".join(f"LESIONFLOW_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"The service's environment does not fit; mend: {faults}.") from error
