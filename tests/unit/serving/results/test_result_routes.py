from lesionflow.serving.results.result_routes import answer_of
from lesionflow.serving.results.result_store import ResultStore


def test_a_binary_answer_carries_every_warning(tmp_path):
    """One header each, whatever characters a note holds, and no more than servers take."""
    results = ResultStore(tmp_path, max_results=5, max_age_s=60.0)
    warnings = ["No tumor was found.", "Übergröße:\r\nX-Evil: 1", *(["x" * 9000] * 20)]
    passport = {"model_name": "knees", "model_version": "3"}

    result_id = "a" * 32

    def fill(folder):
        (folder / "mask.nii.gz").write_bytes(b"mask")
        links = {"report": f"/v1/results/{result_id}/report"}
        return {"id": result_id, "targets": [], "passport": passport, "links": links, "warnings": warnings}

    report = results.put(result_id, fill)
    for name in ("nifti", "json"):
        found = answer_of(results, report, name).headers.getlist("x-lesionflow-warning")
        assert found[0] == "No tumor was found."
        assert found[1] == "%C3%9Cbergr%C3%B6%C3%9Fe:%0D%0AX-Evil: 1"
        assert sum(map(len, found)) < 8000
