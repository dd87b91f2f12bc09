"""A passport beside a registry whose answers are known; the store itself is asked in the tests of `trace`."""

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.attestations.chain import Chain
from lesionflow.io.attestations.statements import Attestation
from lesionflow.prediction.mask_identity import Grid, MaskIdentity
from lesionflow.prediction.passport import make_passport
from lesionflow.prediction.traced_model import trace_model
from lesionflow.prediction.tracing import State
from lesionflow.registry.versions import RegisteredVersion
from support.bundles import small_bundle

BUNDLE = small_bundle(run_id="run-9")
DIGEST = "b" * 64


def version(number, digest):
    return RegisteredVersion("knees", number, (), "run-9", digest, "", "", {})


@pytest.fixture
def passport():
    grid = Grid(shape=(1, 1, 1), affine=(0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
    mask = MaskIdentity(sha256="a" * 64, grid=grid, targets={"tumor": (1,)})
    made = make_passport(BUNDLE, model_name="knees", model_version="2", input_sha256="c" * 64, mask=mask)
    return made.model_copy(update={"bundle_digest": DIGEST})


@pytest.fixture
def registry(monkeypatch):
    """Say which versions there are, and whether their files are whole."""

    def known(*versions, harmed=False, chain=None):
        def fetch(*_):
            if harmed:
                raise ArtifactError("Expected its bytes, found others.")
            return BUNDLE, chain

        monkeypatch.setattr("lesionflow.registry.versions.list_models", lambda _: ("knees",))
        monkeypatch.setattr("lesionflow.registry.versions.list_versions", lambda *_: versions)
        monkeypatch.setattr("lesionflow.registry.registered_bundles.fetch_attested", fetch)

    return known


def states(passport):
    return {finding.what: finding.state for finding in trace_model(passport, "").findings}


def test_of_two_versions_of_one_bundle_the_one_that_is_named_is_meant(passport, registry):
    registry(version("3", DIGEST), version("2", DIGEST))
    assert states(passport) == {"model": State.HELD, "bundle": State.HELD, "steps": State.UNCHECKED}
    assert trace_model(passport, "").version.version == "2"


def test_a_version_whose_files_were_harmed_is_broken(passport, registry):
    registry(version("2", DIGEST), harmed=True)
    assert states(passport) == {"model": State.HELD, "bundle": State.BROKEN}


def test_a_number_that_means_another_bundle_here_is_told_from_one_that_is_gone(passport, registry):
    registry(version("2", "d" * 64))
    assert "has another bundle" in trace_model(passport, "").findings[0].detail
    registry(version("1", "d" * 64))
    assert "it was deleted" in trace_model(passport, "").findings[0].detail
    assert states(passport) == {"model": State.BROKEN}


@pytest.mark.parametrize(
    ("faults", "state", "said"),
    [((), State.HELD, "ingest"), (("the plan was altered",), State.BROKEN, "the plan was altered")],
)
def test_the_steps_behind_a_version_are_told_whole_or_where_they_break(passport, registry, faults, state, said):
    step = Attestation("ingest", {"cases": "c"}, {"raw": "r"}, "", "", "", "", "", "")
    registry(version("2", DIGEST), chain=Chain((step,), faults))
    found = trace_model(passport, "").findings[-1]
    assert (found.what, found.state) == ("steps", state)
    assert said in found.detail


@pytest.mark.parametrize("field", ["run_id", "plan_sha256", "code_revision", "data_revision"])
def test_what_the_bundle_says_otherwise_is_altered(passport, registry, field):
    registry(version("2", DIGEST))
    assert states(passport.model_copy(update={field: "other"}))[field] is State.ALTERED
