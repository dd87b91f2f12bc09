"""A client of the service, for programs: hand a study in, wait, fetch its mask. It speaks HTTP and knows nothing of models, files' insides or the service's own code.

::

    from lesionflow.client import Client

    with Client("https://lesions.example.org", key=key) as client:
        mask = client.segment(Path("study"), output_format="dicom-seg")
        mask.save(Path("mask.dcm"))
"""

from lesionflow.client.asking import AsyncClient, Client
from lesionflow.client.client_errors import (
    AccessError,
    BusyError,
    JobCancelledError,
    NotDoneError,
    NotKeptError,
    RefusalError,
    UnansweredError,
)
from lesionflow.client.remote_job import FetchedMask, FetchedReport, JobEvent, RemoteJob

__all__ = [
    "AccessError", "AsyncClient", "BusyError", "Client", "FetchedMask", "FetchedReport", "JobCancelledError", "JobEvent", "NotDoneError", "NotKeptError",
    "RefusalError", "RemoteJob", "UnansweredError",
]  # fmt: skip
