"""One study by curl's way, by storescu, through Orthanc and by DICOMweb: the same SEG, by the real service beside a real PACS."""

import io
import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lesionflow.io.stores.bundles import write_bundle
from support.bundles import constant_bundle
from support.dicom_factory import write_series
from support.pacs_peers import free_port, orthanc, receiver, store, wait_for, write_config
from support.servers import serving

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
    "1.2.840.10008.5.1.4.1.1.88.33": "SR",
}


def ask(url, data=None, kind="application/json"):
    request = urllib.request.Request(url, data=data, headers={"Content-Type": kind} if data is not None else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def by_http(url, series):
    """As curl sends a zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in series.paths:
            archive.write(path, path.name)
    body = (
        b'--x\r\nContent-Disposition: form-data; name="study"; filename="s.zip"\r\n\r\n'
        + content.getvalue()
        + b"\r\n--x--\r\n"
    )
    return ask(f"{url}/v1/segment?format=dicom-seg", body, "multipart/form-data; boundary=x")


def results(web):
    """What Orthanc holds that is no image, by kind."""
    found = {}
    for number in json.loads(ask(f"{web}/instances")):
        content = ask(f"{web}/instances/{number}/file")
        data = pydicom.dcmread(io.BytesIO(content))
        if data.SOPClassUID in KINDS:
            found.setdefault(KINDS[data.SOPClassUID], []).append(data)
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    write_bundle(folder / "bundle", constant_bundle(9.0))
    port = free_port()
    command = [sys.executable, "-m", "lesionflow.serving", "--port", str(port), "--model", str(folder / "bundle")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "LESIONFLOW_STATE_DIR": str(folder / "state"),
        "LESIONFLOW_DEVICE": "cpu",
    }
    with serving(command, folder / "log", port, environment=environment):
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: is_ready(url), 300)
        yield url


def is_ready(url):
    try:
        return ask(f"{url}/readyz")
    except OSError:
        return b""


@pytest.fixture
def site(tmp_path, service):
    web, dicom, ours = free_port(), free_port(), free_port()
    modalities = {"lesionflow": ["LESIONFLOW", "127.0.0.1", ours]}
    with orthanc(
        tmp_path / "orthanc", web, dicom, DicomModalities=modalities, OverwriteInstances=False
    ) as has_dicomweb:
        url = f"http://127.0.0.1:{web}"
        config = write_config(
            tmp_path / "site",
            listen={"port": ours, "min_free_mb": 0},
            peers=[{"ae_title": name, "addresses": ["127.0.0.1"]} for name in ("ORTHANC", "SENDER")],
            destinations={"archive": {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": dicom}, "web": {"url": f"{url}/dicom-web"}},
            rules=[{
                "name": "ct", "series": [{"modality": "CT", "min_slices": 3}], "service": {"url": service},
                "destinations": ["archive", "web"] if has_dicomweb else ["archive"],
            }],
            quiet_s=1.0,
        )  # fmt: skip
        yield config, ours, url, has_dicomweb


def require_one_of_each(web, expected):
    found = wait_for(lambda: (got := results(web)) and len(got) == 3 and got, 120)
    assert {kind: len(objects) for kind, objects in found.items()} == {"SEG": 1, "RTSTRUCT": 1, "SR": 1}
    seg = found["SEG"][0]
    np.testing.assert_array_equal(seg.pixel_array, expected.pixel_array)
    assert seg.SOPInstanceUID == expected.SOPInstanceUID
    assert [str(f.PlanePositionSequence[0].ImagePositionPatient) for f in seg.PerFrameFunctionalGroupsSequence] == [
        str(f.PlanePositionSequence[0].ImagePositionPatient) for f in expected.PerFrameFunctionalGroupsSequence
    ]


@pytest.mark.parametrize("way", ["storescu", "orthanc", "dicomweb"])
def test_a_study_that_came_by_dicom_has_the_seg_that_it_has_by_http_and_results_are_in_the_pacs(
    site, service, tmp_path, way
):
    config, ours, web, has_dicomweb = site
    if way == "dicomweb" and not has_dicomweb:
        pytest.skip("no orthanc-dicomweb on this machine")
    series = write_series(tmp_path / "series", shape=(6, 40, 56))
    expected = pydicom.dcmread(io.BytesIO(by_http(service, series)))
    with receiver(config, ours):
        if way == "storescu":
            assert store(series.paths, ours).returncode == 0
        else:
            for path in series.paths:
                ask(f"{web}/instances", path.read_bytes(), "application/dicom")
            if way == "orthanc":
                (study,) = json.loads(ask(f"{web}/studies"))
                ask(f"{web}/modalities/lesionflow/store", study.encode())
            else:
                fetch = [
                    sys.executable,
                    "-m",
                    "lesionflow.pacs",
                    "fetch",
                    "--config",
                    str(config),
                    "--at",
                    "web",
                    "--study",
                    series.study_uid,
                ]
                done = subprocess.run(fetch, capture_output=True, text=True, check=False)
                assert (done.returncode, done.stdout[:9]) == (0, "6 objects"), done.stderr
        require_one_of_each(web, expected)
