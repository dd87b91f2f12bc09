"""The service, asked over HTTP: an order is handed in under its own key, so that handed in again it is the same job."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from lesionflow.errors import ServiceError
from lesionflow.io.files import replacing_file
from lesionflow.pacs.network_config import ServiceAddress, read_secret

#: A study may be gigabytes on a slow line; a service that says nothing for so long is asked again later.
TIMEOUT_S = 300.0
#: Files of an archive all have this time, the first that zip knows: the same objects are the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)


class RefusedOrderError(ServiceError):
    """The service does not segment this study.

    Args:
        code: Its stable code, such as `irregular_spacing`.
        of_study: Whether the study is why; else the service failed at it, and may not another time.
    """

    def __init__(self, code: str, *, of_study: bool = True) -> None:
        super().__init__(f"Expected the service to segment the study, found that it does not: {code}.")
        self.code, self.of_study = code, of_study


class ServiceLink:
    """One service.

    Args:
        address: Where.
    """

    def __init__(self, address: ServiceAddress) -> None:
        self._address = address

    def hand_in(self, objects: list[Path], key: str, scratch: Path) -> str:
        """Hand a study in; handed in again under its key it is the same job.

        Args:
            objects: DICOM files.
            key: Of 32 digits.
            scratch: A file to be written, and removed.

        Returns:
            The job's id.

        Raises:
            RefusedOrderError: When it never will be taken.
            ServiceError: When it may be taken later.
        """
        with self._client() as client:
            try:
                _zip(objects, scratch)
                with scratch.open("rb") as content:
                    answer = client.post(
                        "/v1/studies",
                        files={"study": ("study.zip", content, "application/zip")},
                        headers={"Idempotency-Key": key},
                    )
            finally:
                scratch.unlink(missing_ok=True)
        _raise_for(answer)
        return str(answer.json()["id"])

    def is_done(self, job: str) -> bool | None:
        """Tell whether a job is done; None where the service knows no such job.

        Raises:
            RefusedOrderError: When it failed or was cancelled.
            ServiceError: When the service does not answer.
        """
        with self._client() as client:
            answer = client.get(f"/v1/jobs/{job}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        _raise_for(answer)
        told = answer.json()
        if told["state"] in ("failed", "cancelled"):
            error = told.get("error") or {}
            raise RefusedOrderError(
                str(error.get("code") or told["state"]),
                of_study=int(error.get("status") or 0) < httpx.codes.INTERNAL_SERVER_ERROR,
            )
        return bool(told["state"] == "done")

    def fetch(self, job: str, output_format: str, path: Path) -> bool:
        """Fetch a result into a file, whole or not at all; return False where the service has it no longer.

        Raises:
            ServiceError: When the service does not answer.
        """
        with self._client() as client:
            answer = client.get(f"/v1/results/{job}/mask", params={"format": output_format})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return False
        _raise_for(answer)
        with replacing_file(path) as partial:
            partial.write_bytes(answer.content)
        return True

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        key = read_secret(self._address.key_file)
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        try:
            with httpx.Client(base_url=self._address.url, headers=headers, timeout=TIMEOUT_S) as client:
                yield client
        except httpx.HTTPError as error:
            raise ServiceError(
                f"Expected the service at {self._address.url} to answer, found {type(error).__name__}. Is it running?"
            ) from error


def _raise_for(answer: httpx.Response) -> None:
    """Raise what an answer says that is none."""
    if answer.is_success:
        return
    try:
        code = str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        code = f"http_{answer.status_code}"
    # A key that is missing or spent is the operator's to mend, not the study's fault.
    if answer.status_code in (400, 413, 415, 422):
        raise RefusedOrderError(code)
    raise ServiceError(
        f"Expected the service to take the request, found {answer.status_code} {code}. It is tried again."
    )


def _zip(objects: list[Path], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for each in objects:
            with (
                each.open("rb") as source,
                archive.open(zipfile.ZipInfo(each.name, NO_TIME), "w", force_zip64=True) as target,
            ):
                while block := source.read(1 << 20):
                    target.write(block)
