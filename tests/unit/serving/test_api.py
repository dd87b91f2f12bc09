"""The routes, in process, with a real model and real DICOM."""

import base64
import io
import json
import re
import types
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lesionflow.config import Settings
from lesionflow.inference import Segmenter
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import predict_study
from lesionflow.prediction.tracing import State, trace_file
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.api import create_app
from lesionflow.serving.children.failures import ChildFailedError
from lesionflow.serving.generations.lineup import Standing
from lesionflow.serving.settings import ServiceSettings
from support.service_client import TestClient, wait_until_ready

#: Voxels whose probability stands at the threshold itself may fall either way: a NIfTI affine has only 24 bits.
ROUNDED_FRACTION = 1e-5


def post(client, content, query="?format=json", **headers):
    return client.post(f"/v1/segment{query}", files={"study": ("study.zip", content)}, headers=headers)


def zip_of(entries):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return made.getvalue()


def files_of(study, modality):
    """The files of a study's series of that modality, by position along the patient."""
    paths = [path for path in study.rglob("*") if path.is_file()]
    series = [path for path in paths if pydicom.dcmread(path, specific_tags=["Modality"]).Modality == modality]
    return sorted(series, key=lambda path: float(pydicom.dcmread(path).ImagePositionPatient[2]))


def entries(paths):
    return [(f"study/{path.parent.name}/{path.name}", path.read_bytes()) for path in paths]


def assert_problem(response, status, code):
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"].endswith(code)
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in response.text
    assert "/tmp" not in response.text


@pytest.fixture(scope="module")
def predicted(bundle_folder, study, tmp_path_factory):
    """What `predict` writes for the same study, by output format."""
    model = load_model(str(bundle_folder), None, "")
    segmenter = Segmenter(model.bundle, device="cpu")
    folder = tmp_path_factory.mktemp("predicted")
    made = {"dicom-seg": folder / "mask.dcm", "nifti": folder / "mask.nii.gz"}
    for name, path in made.items():
        predict_study(model, segmenter, study, path, output_format=name)
    return made


def test_the_served_seg_is_the_one_that_predict_writes(client, study_zip, predicted):
    response = post(client, study_zip, "?format=dicom-seg")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dicom")
    served, written = pydicom.dcmread(io.BytesIO(response.content)), pydicom.dcmread(predicted["dicom-seg"])
    np.testing.assert_array_equal(served.pixel_array, written.pixel_array)
    positions = [
        [tuple(f.PlanePositionSequence[0].ImagePositionPatient) for f in seg.PerFrameFunctionalGroupsSequence]
        for seg in (served, written)
    ]
    assert positions[0] == positions[1]
    assert 0.05 < served.pixel_array.mean() < 0.95


def test_the_served_nifti_is_the_one_that_predict_writes_to_the_byte(client, study_zip, predicted):
    response = post(client, study_zip, "", Accept="application/x-nifti")
    assert response.headers["content-type"] == "application/gzip"
    assert response.content == predicted["nifti"].read_bytes()


def test_a_binary_answer_names_its_report(client, study_zip, tmp_path):
    response = post(client, study_zip, "", Accept="application/gzip")
    link = re.fullmatch(r'<(/v1/results/[0-9a-f]{32}/report)>; rel="describedby"; type="application/json"',
                        response.headers["link"])  # fmt: skip
    report = client.get(link[1]).json()
    assert report["id"] == response.headers["x-lesionflow-result"]
    (tmp_path / "m.nii.gz").write_bytes(response.content)
    image = sitk.ReadImage(str(tmp_path / "m.nii.gz"))
    volume_ml = sitk.GetArrayFromImage(image).astype(bool).sum() * np.prod(image.GetSpacing()) / 1000
    assert report["targets"][0]["volume_ml"] == pytest.approx(volume_ml, rel=1e-5)
    name, _, value = response.headers["x-lesionflow-volumes-ml"].partition("=")
    assert (name, float(value)) == ("tumor", pytest.approx(volume_ml, rel=1e-5))


def test_a_report_is_a_page_for_browsers_with_the_picture_that_was_kept_and_its_own_policy(client, study_zip):
    report = post(client, study_zip).json()
    at = report["links"]["report"]
    page = client.get(at, headers={"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    (policy,) = page.headers.get_list("content-security-policy")
    assert policy.endswith("sandbox")
    assert "script" not in policy
    picture = base64.b64encode(client.get(report["links"]["masks"]["png"]).content).decode()
    assert f"data:image/png;base64,{picture}" in page.text
    assert f"{report['targets'][0]['volume_ml']:.2f} ml in" in page.text
    assert page.headers.get_list("x-lesionflow-warning")[0] in page.text
    assert_problem(client.get(f"{at}?format=docx"), 400, "unknown_format")


def test_a_json_answer_links_masks_of_every_format(client, study_zip, predicted):
    report = post(client, study_zip).json()
    assert list(report["links"]["masks"]) == list(WRITERS)
    assert client.get(report["links"]["masks"]["nifti"]).content == predicted["nifti"].read_bytes()
    png = client.get(report["links"]["masks"]["png"])
    assert (png.headers["content-type"], png.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert client.get(report["links"]["report"]).json() == report
    assert "Research use only" in report["disclaimer"]
    assert report["passport"]["run_id"] == "run-1"
    assert report["timings_s"]["network"] > 0


def test_nifti_parts_give_the_mask_of_the_same_study(client, study, predicted, tmp_path):
    """CT and PET converted by another library, each on its own grid."""
    files = {}
    assert pydicom.dcmread(files_of(study, "PT")[0]).Units == "GML", "the phantom's PET is in SUV as stored"
    for channel in ("CT", "PET"):
        names = [str(path) for path in files_of(study, {"CT": "CT", "PET": "PT"}[channel])]
        image = sitk.ReadImage(names, sitk.sitkFloat32)
        sitk.WriteImage(image, str(tmp_path / f"{channel}.nii.gz"))
        files[channel] = (f"{channel}.nii.gz", (tmp_path / f"{channel}.nii.gz").read_bytes())
    response = client.post("/v1/segment?format=nifti", files=files)
    assert response.status_code == 200, response.text
    (tmp_path / "m.nii.gz").write_bytes(response.content)
    ours, theirs = (sitk.ReadImage(str(p)) for p in (tmp_path / "m.nii.gz", predicted["nifti"]))
    a, b = (sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS")).astype(bool) for image in (ours, theirs))
    assert (a != b).mean() <= ROUNDED_FRACTION
    assert 0.05 < a.mean() < 0.95
    refused = client.post("/v1/segment?format=dicom-seg", files=files)
    assert_problem(refused, 422, "source_is_not_dicom")
    report = client.post("/v1/segment?format=json", files=files).json()
    assert "dicom-seg" not in report["links"]["masks"]
    assert {"nifti", "png"} <= set(report["links"]["masks"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_upload"),
        (b"garbage" * 50, "not_a_zip"),
        (b"http://127.0.0.1:9/study.zip", "not_a_zip"),
        (zip_of([("../../evil.dcm", b"x")]), "unsafe_path"),
        (zip_of([]), "empty_study"),
        (zip_of([("notes.txt", b"hello")]), "unknown_layout"),
    ],
)
def test_a_bad_upload_is_a_problem_with_a_named_code(client, content, code):
    assert_problem(post(client, content), 422, code)


def test_a_truncated_zip_is_named(client, study_zip):
    assert_problem(post(client, study_zip[:-2000]), 422, "unreadable_zip")


def test_a_study_without_pet_is_named(client, study):
    assert_problem(post(client, zip_of(entries(files_of(study, "CT")))), 422, "missing_channel")


def test_a_study_with_a_missing_slice_is_named(client, study):
    ct, pet = files_of(study, "CT"), files_of(study, "PT")
    assert_problem(post(client, zip_of(entries([*ct[:12], *ct[13:], *pet]))), 422, "missing_slice")


@pytest.mark.parametrize(("n_bytes", "code"), [(5000, "unreadable_pixels"), (300, "unreadable_file")])
def test_a_truncated_file_is_named_even_at_the_end_of_a_series(client, study, n_bytes, code):
    *whole, (name, content) = entries([*files_of(study, "PT"), *files_of(study, "CT")])
    assert_problem(post(client, zip_of([*whole, (name, content[:n_bytes])])), 422, code)


def test_limits_of_body_and_zip_are_413(make_client, study_zip):
    with make_client(max_upload_mb=1) as small:
        wait_until_ready(small)
        assert_problem(post(small, bytes(1_000_001)), 413, "upload_too_large")
    with make_client(max_unpacked_mb=1) as small:
        wait_until_ready(small)
        assert_problem(post(small, zip_of([("bomb", bytes(5_000_000))])), 413, "unpacked_too_large")
        assert_problem(post(small, study_zip), 413, "unpacked_too_large")


def test_a_wrong_request_is_a_problem(client):
    assert_problem(client.post("/v1/segment", content=b"{}"), 415, "not_multipart")
    assert_problem(post(client, b"x", "?format=bmp"), 400, "unknown_format")
    assert_problem(post(client, b"x", "", Accept="text/html"), 406, "not_acceptable")
    assert_problem(client.get("/v1/segment"), 405, "method_not_allowed")
    assert_problem(client.get("/nothing"), 404, "not_found")
    assert_problem(client.get("/v1/results/" + "0" * 32 + "/report"), 404, "unknown_result")


def test_the_model_says_what_it_is(client, bundle_folder):
    model = client.get("/v1/model").json()
    assert model["channels"] == {"CT": "ct", "PET": "pet"}
    assert model["bundle_digest"].startswith(model["model_version"].removeprefix("bundle-"))
    assert (model["run_id"], model["code_revision"], model["data_revision"]) == ("run-1", "c0de", "da7a")


def test_probes_and_figures(client, study_zip):
    before = figures(client)
    post(client, study_zip)
    post(client, b"garbage")
    client.get("/made/up/path")
    after = figures(client)

    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    assert grown('lesionflow_studies_total{outcome="segmented"}') == 1
    assert grown('lesionflow_studies_total{outcome="not_a_zip"}') == 1
    assert grown("lesionflow_study_seconds_count") == 1
    assert after["lesionflow_ready"] == 1
    assert after["lesionflow_studies_in_line"] == 0
    assert "made/up" not in client.get("/metrics").text
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


def figures(client):
    lines = [line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_nothing_is_left_of_an_upload(client, study_zip):
    assert post(client, study_zip).status_code == 200
    assert post(client, b"garbage").status_code == 422
    assert client.post("/v1/segment", content=b"{}").status_code == 415
    folder = client.app.state.scratch
    left = [p for p in folder.rglob("*") if p.is_file() and not p.is_relative_to(folder / "results")]
    assert {path.name.partition("-")[0] for path in left} == {"jobs.db"}


def test_without_a_model_it_lives_but_is_not_ready(tmp_path):
    service = ServiceSettings(model="champion", model_name="nothing", load_retry_s=60)
    settings = Settings(device="cpu", MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/missing/mlflow.db")
    with TestClient(create_app(service, settings)) as client:
        assert client.get("/livez").status_code == 200
        for answer in (client.get("/readyz"), client.get("/v1/model"), post(client, b"x")):
            assert_problem(answer, 503, "not_ready")
            assert int(answer.headers["retry-after"]) > 0


def test_readiness_names_what_is_missing_and_comes_back(make_client, tmp_path):
    with make_client(results_dir=tmp_path / "results") as client:
        wait_until_ready(client)
        told = client.get("/readyz").json()
        assert told["ready"]
        assert {name for name, check in told["checks"].items() if check["ok"]} == set(told["checks"])
        (tmp_path / "results").rename(tmp_path / "away")
        answer = client.get("/readyz")
        assert_problem(answer, 503, "not_ready")
        missing = {name for name, check in answer.json()["checks"].items() if not check["ok"]}
        assert missing == {"results_writable", "disk"}
        assert client.get("/livez").status_code == 200
        (tmp_path / "away").rename(tmp_path / "results")
        assert client.get("/readyz").status_code == 200
        # A service whose process ended with its study is ready all the same: another is being started.
        (process,) = client.app.state.engine._lineup.standing.now._pool._all
        process.kill()
        assert client.get("/readyz").status_code == 200


def failing(*_):
    raise ChildFailedError("TypeError: 'NoneType' object is not callable")


def test_a_fault_of_our_own_tells_the_client_a_number_and_the_log_the_rest(make_client, study_zip, caplog):
    with make_client() as client:
        wait_until_ready(client)
        lineup = client.app.state.engine._lineup
        stub = types.SimpleNamespace(model=lineup.standing.now.model, segment=failing, close=lambda: None)
        lineup._standing = Standing(stub)
        response = post(client, study_zip)
        assert_problem(response, 500, "internal_error")
        incident = re.search(r"[0-9a-f]{32}", response.json()["detail"])[0]
        assert "NoneType" not in response.text
        assert any(incident in record.getMessage() and record.exc_info for record in caplog.records)


def test_the_page_runs_under_a_strict_policy(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert not re.search(r"<script(?![^>]*src=)|style=|onclick=|https?://", page.text)
    for address in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert client.get(address).status_code == 200


def harm_pixels(path):
    """Change one voxel, or pixel."""
    if path.suffix == ".dcm":
        data = pydicom.dcmread(path)
        if "PixelData" in data:
            pixels = bytearray(data.PixelData)
            pixels[len(pixels) // 2] ^= 1
            data.PixelData = bytes(pixels)
        elif "ContentSequence" in data:
            measured = next(item for item in data.iterall() if item.keyword == "NumericValue")
            measured.value = "1.0" if measured.value != 1 else "2.0"
        else:
            contour = data.ROIContourSequence[0].ContourSequence[0]
            contour.ContourData = [float(value) + 5.0 for value in contour.ContourData]
        data.save_as(path)
    elif path.suffix == ".png":
        with Image.open(path) as picture:
            kept = PngInfo()
            kept.add_itxt("lesionflow-passport", picture.text["lesionflow-passport"])
            changed = picture.copy()
        changed.putpixel((0, 0), tuple(255 - value for value in changed.getpixel((0, 0))))
        changed.save(path, pnginfo=kept)
    elif path.suffix == ".nrrd":
        image = sitk.ReadImage(path)
        image[0, 0, 0] = image[0, 0, 0] ^ 1
        sitk.WriteImage(image, path)
    else:
        image = nibabel.load(path)
        labels = np.asarray(image.dataobj).copy()
        labels[0, 0, 0] ^= 1
        made = nibabel.Nifti1Image(labels, image.affine)
        made.header.extensions.extend(image.header.extensions)
        nibabel.save(made, path)


def harm_header(path):
    """Give it to another patient."""
    data = pydicom.dcmread(path)
    data.PatientID = "somebody else"
    data.save_as(path)


def states(path):
    return {finding.what: finding.state for finding in trace_file(path).findings}


@pytest.mark.parametrize("name", WRITERS)
def test_what_the_service_gives_out_is_traced_by_itself_and_told_where_it_was_edited(client, study_zip, tmp_path, name):
    path = tmp_path / WRITERS[name].file_name
    path.write_bytes(post(client, study_zip, f"?format={name}").content)
    held = {State.HELD, State.UNCHECKED} if name == "dicom-sr" else {State.HELD}
    assert set(states(path).values()) == held
    if WRITERS[name].needs_dicom:
        harm_header(path)
        assert states(path)["study"] is State.ALTERED
    harm_pixels(path)
    of_pixels = {"png": "picture", "dicom-sr": "figures"}.get(name, "mask")
    assert states(path)[of_pixels] is State.ALTERED


def test_the_services_report_is_traced_by_itself_and_told_where_it_was_edited(client, study_zip, tmp_path):
    path = tmp_path / "report.json"
    report = post(client, study_zip).json()
    path.write_text(json.dumps(report))
    assert states(path) == {"passport": State.HELD, "mask": State.UNCHECKED, "report": State.HELD}
    report["targets"][0]["volume_ml"] += 1.0
    path.write_text(json.dumps(report))
    assert states(path)["report"] is State.ALTERED
