"""Kubeflow's API, with its faults said in our words: by what and where, and never with the token that was sent."""

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
from urllib3.exceptions import HTTPError

from lesionflow.errors import ConfigError, ConflictError, LesionFlowError, ServiceError
from lesionflow.registry.secrets import without_password

#: What a status means and what to do.
ADVICE = {
    401: "it does not know who asks. Set KFP_TOKEN to a token that is still valid",
    403: "who asks may not do this. Ask for the right in this namespace, or name another by --namespace",
    404: "it has no such thing, or is no Kubeflow Pipelines 2. Look at the address: it ends before /apis",
}
CONFLICT = 409
#: The API's own words, at most.
MAX_WORDS = 300
EQUALS = "EQUALS"
PAGE = 100


class Kubeflow:
    """A connection.

    Args:
        host: The API's address.
        token: Sent as a bearer; empty for none.
        namespace: Of a Kubeflow of several users; empty for one of one user.
        ca: Certificate of who signed the API's.

    Raises:
        ConfigError: When no address is given, or the API does not know who asks.
        ServiceError: When nothing answers there.
    """

    def __init__(self, host: str, token: str = "", namespace: str = "", *, ca: Path | None = None) -> None:
        if not host:
            raise ConfigError(
                "Expected the address of Kubeflow's API, found none. Give --host, or set KF_PIPELINES_ENDPOINT."
            )
        if not host.startswith(("http://", "https://")):
            raise ConfigError(
                f"Expected an address that begins with http:// or https://, found {without_password(host)}."
            )
        self.host = without_password(host)
        self.namespace = namespace or None
        self._token = token
        configuration = kfp_server_api.Configuration(host=host.rstrip("/"))
        if token:
            configuration.api_key = {"authorization": token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        if ca:
            configuration.ssl_ca_cert = str(ca)
        self._connection = kfp_server_api.ApiClient(configuration)
        # kfp's own client would ask five times, 5 s apart, and log what it sent.
        with self._reaching("look who answers"):
            kfp_server_api.HealthzServiceApi(self._connection).healthz_service_get_healthz()
        with self._reaching("connect"), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.client = kfp.Client(
                host=host,
                existing_token=token or None,
                namespace=namespace or "kubeflow",
                ssl_ca_cert=str(ca) if ca else None,
            )

    def find_pipeline(self, name: str) -> str:
        """Return a pipeline's id; it is made where there is none."""
        service = kfp_server_api.PipelineServiceApi(self._connection)
        chosen = {"filter": _named(name), "page_size": PAGE} | ({"namespace": self.namespace} if self.namespace else {})
        with self._reaching(f"find the pipeline {name}"):
            found = service.pipeline_service_list_pipelines(**chosen).pipelines or []
            if found:
                return str(found[0].pipeline_id)
            made = kfp_server_api.V2beta1Pipeline(display_name=name, name=name, namespace=self.namespace)
            return str(service.pipeline_service_create_pipeline(pipeline=made).pipeline_id)

    def find_version(self, pipeline_id: str, name: str) -> str | None:
        """Return a version's id."""
        with self._reaching(f"find the version {name}"):
            found = self.client.list_pipeline_versions(
                pipeline_id, page_size=PAGE, filter=_named(name)
            ).pipeline_versions
        return str(found[0].pipeline_version_id) if found else None

    def upload(self, pipeline_id: str, name: str, package: Path, description: str) -> str:
        """Upload a version; return its id."""
        with self._reaching(f"upload the version {name}"), _quiet():
            made = self.client.upload_pipeline_version(
                str(package), name, pipeline_id=pipeline_id, description=description
            )
        return str(made.pipeline_version_id)

    def find_experiment(self, name: str) -> str:
        """Return an experiment's id; it is made where there is none."""
        with self._reaching(f"find the experiment {name}"), _quiet():
            return str(self.client.create_experiment(name, namespace=self.namespace).experiment_id)

    def find_runs(self, experiment_id: str, name: str) -> list[Any]:
        """Return the runs of a name, the newest first."""
        with self._reaching(f"find runs {name}"):
            found = self.client.list_runs(
                page_size=PAGE, sort_by="created_at desc", experiment_id=experiment_id, namespace=self.namespace,
                filter=_named(name),
            )  # fmt: skip
        return list(found.runs or [])

    def run(self, experiment_id: str, name: str, arguments: dict[str, Any], pipeline_id: str, version_id: str) -> str:
        """Start a run; return its id."""
        with self._reaching(f"start the run {name}"), _quiet():
            made = self.client.run_pipeline(
                experiment_id, name, params=arguments, pipeline_id=pipeline_id, version_id=version_id
            )
        return str(made.run_id)

    def find_schedules(self, experiment_id: str, name: str) -> list[Any]:
        """Return the recurring runs of a name."""
        with self._reaching(f"find the schedule {name}"):
            found = self.client.list_recurring_runs(
                page_size=PAGE, experiment_id=experiment_id, namespace=self.namespace, filter=_named(name)
            )
        return list(found.recurring_runs or [])

    def schedule(
        self, experiment_id: str, name: str, cron: str, arguments: dict[str, Any], pipeline_id: str, version_id: str
    ) -> str:
        """Make a recurring run that does not run yet; return its id.

        Missed times are not made up for, and one run waits for the last.
        """
        with self._reaching(f"make the schedule {name}"):
            made = self.client.create_recurring_run(
                experiment_id, name, cron_expression=cron, params=arguments, pipeline_id=pipeline_id, version_id=version_id,
                enabled=False, no_catchup=True, max_concurrency=1,
            )  # fmt: skip
        return str(made.recurring_run_id)

    def enable_schedule(self, schedule_id: str) -> None:
        """Let a recurring run run."""
        with self._reaching("start a schedule"):
            self.client.enable_recurring_run(schedule_id)

    def delete_schedule(self, schedule_id: str) -> None:
        """Remove a recurring run; its runs stay."""
        with self._reaching("remove a schedule"):
            self.client.delete_recurring_run(schedule_id)

    @contextlib.contextmanager
    def _reaching(self, doing: str) -> Iterator[None]:
        """Turn every fault of the API into ours; its own words repeat headers, and with them what was sent."""
        try:
            yield
        except LesionFlowError:
            raise
        except kfp_server_api.ApiException as error:
            raise self._said(doing, error) from None
        except (HTTPError, OSError) as error:
            raise ServiceError(
                f"Expected Kubeflow's API at {self.host} to {doing}, found that nothing answers ({type(error).__name__}). Look at the address "
                "and whether the way there is open (`kubectl port-forward`, a proxy)."
            ) from None
        except (ValueError, TypeError) as error:
            raise ServiceError(
                f"Expected an answer of Kubeflow Pipelines 2 from {self.host} to {doing}, found {self._clean(str(error))}."
            ) from None

    def _said(self, doing: str, error: Any) -> LesionFlowError:
        words = self._clean(_message_of(error.body))
        advice = ADVICE.get(error.status, "look at the API's own log")
        message = f"Kubeflow's API at {self.host} refused to {doing} ({error.status}): {advice}. It says: {words or '(nothing)'}"
        if error.status == CONFLICT:
            return ConflictError(
                f"Somebody else was faster to {doing} at {self.host}: give the command again. It says: {words}"
            )
        return ConfigError(message) if error.status in ADVICE else ServiceError(message)

    def _clean(self, words: str) -> str:
        return (words.replace(self._token, "***") if self._token else words)[:MAX_WORDS]


def _named(name: str) -> str:
    """Return the filter by a name, as the API's proto has it."""
    return json.dumps({"predicates": [{"operation": EQUALS, "key": "display_name", "stringValue": name}]})


def _message_of(body: Any) -> str:
    try:
        read = json.loads(body)
        return str(read.get("error_message") or read.get("message") or read.get("error") or "")
    except (ValueError, TypeError, AttributeError):
        return ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep kfp's links off standard output, which is for what was asked."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
