"""The bento as somebody has it who has nothing else: built, its own requirements installed in an empty environment, served, asked.

Minutes and gigabytes of a package index: in `make test-all` alone, by LESIONFLOW_TEST_WHOLE=1.
"""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest

from lesionflow.io.stores.bundles import write_bundle
from support.bundles import constant_bundle
from support.dicom_factory import write_series
from support.servers import free_port, serving

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (5, 16, 24)


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing of this checkout: no PYTHONPATH, no environment on PATH."""
    kept = ("HOME", "LANG", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TMPDIR")
    told = {
        name: os.environ[name]
        for name in (*kept, *(n for n in os.environ if n.startswith("PIP_")))
        if name in os.environ
    }
    return {**told, "PATH": "/usr/bin:/bin", "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    os.environ.get("LESIONFLOW_TEST_WHOLE") != "1", reason="installs gigabytes: LESIONFLOW_TEST_WHOLE=1"
)
def test_a_built_bento_segments_a_study_from_its_own_requirements(tmp_path):
    environment = clean_environment(tmp_path / "home")
    built = [sys.executable, "-m", "bentoml", "build", str(ROOT), "--output", "tag"]
    subprocess.run(built, env=environment, check=True, capture_output=True, text=True)
    (bento,) = (path for path in (tmp_path / "home/bentos/lesionflow-service").iterdir() if path.is_dir())
    binaries = tmp_path / "empty/bin"
    subprocess.run([sys.executable, "-m", "venv", str(binaries.parent)], check=True)
    requirements = str(bento / "env/python/requirements.txt")
    subprocess.run([str(binaries / "pip"), "install", "-q", "-r", requirements], env=environment, check=True)

    write_bundle(tmp_path / "bundle", constant_bundle(9.0))
    series = write_series(tmp_path / "series", shape=SHAPE)
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in series.paths:
            archive.write(path, path.name)
    port = free_port()
    command = [str(binaries / "bentoml"), "serve", str(bento), "--host", "127.0.0.1", "--port", str(port)]
    own = {"LESIONFLOW_MODEL": str(tmp_path / "bundle"), "LESIONFLOW_STATE_DIR": str(tmp_path / "state")}
    served = serving(command, tmp_path / "log", port, environment={**environment, **own})
    with served, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        end = time.monotonic() + 120
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < end, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.5)
        upload = {"study": ("study.zip", (tmp_path / "study.zip").read_bytes())}
        report = client.post("/v1/segment?format=json", files=upload).raise_for_status().json()
        seg = client.get(report["links"]["masks"]["dicom-seg"]).raise_for_status().content
        for name, start in (("html", b"<!doctype html>"), ("pdf", b"%PDF-"), ("fhir", b"{")):
            at = f"{report['links']['report']}?format={name}"
            assert client.get(at).raise_for_status().content.startswith(start)
    (tmp_path / "mask.dcm").write_bytes(seg)
    assert pydicom.dcmread(tmp_path / "mask.dcm").pixel_array.sum() == np.prod(SHAPE)
    assert report["passport"]["bundle_digest"]
