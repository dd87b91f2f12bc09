"""Examples of what is sent and answered; a test holds each against its type. What is true of all answers lies in the types."""

from typing import Any

ID = "7f3c2a9be0d94c1f8a6b5e4d3c2b1a09"
JOB_QUEUED: dict[str, Any] = {
    "id": ID, "state": "queued", "created": "2026-03-02T09:14:05.120+00:00", "n_before": 2,
    "links": {"self": f"/v1/jobs/{ID}", "events": f"/v1/jobs/{ID}/events"},
}  # fmt: skip
JOB_DONE: dict[str, Any] = {
    "id": ID, "state": "done", "created": "2026-03-02T09:14:05.120+00:00", "started": "2026-03-02T09:14:21.004+00:00",
    "ended": "2026-03-02T09:14:25.377+00:00",
    "links": {"self": f"/v1/jobs/{ID}", "events": f"/v1/jobs/{ID}/events", "report": f"/v1/results/{ID}/report", "mask": f"/v1/results/{ID}/mask"},
}  # fmt: skip
JOB_FAILED: dict[str, Any] = {
    "id": ID, "state": "failed", "created": "2026-03-02T09:14:05.120+00:00", "started": "2026-03-02T09:14:21.004+00:00",
    "ended": "2026-03-02T09:14:22.150+00:00", "links": {"self": f"/v1/jobs/{ID}", "events": f"/v1/jobs/{ID}/events"},
    "error": {
        "status": 422, "code": "missing_channel", "detail": "Expected a NIfTI part for each of CT, PET, found none for PET.",
    },
}  # fmt: skip
JOB_PAGE: dict[str, Any] = {"jobs": [JOB_DONE], "links": {"next": f"/v1/jobs?limit=1&before={ID}"}}
MODEL: dict[str, Any] = {
    "model_name": "sts-petct", "model_version": "7", "bundle_digest": "84dbaaf5eda0ea7b9c9070d9c583e27944e14748f815cfc91a2a8b9376274043",
    "channels": {"CT": "ct", "PET": "pet"}, "targets": ["tumor"], "disclaimer": "Research use only. Not a medical device.",
}  # fmt: skip
MODELS_SERVED: dict[str, Any] = {
    "models": [
        {"name": "sts-unet", "version": "7", "alias": "champion", "channels": {"CT": "ct", "PET": "pet"}, "targets": ["tumor"], "ready": True},
        {"name": "sts-unetpp", "version": "3", "alias": "champion", "channels": {"CT": "ct", "PET": "pet"}, "targets": ["tumor"], "ready": True},
    ]
}  # fmt: skip
READINESS: dict[str, Any] = {
    "ready": True,
    "checks": {
        "model": {"ok": True, "detail": "sts-petct version 7, signed by a trusted key; every byte verified when it was loaded, 2026-03-02T09:00:00+00:00"},
        "golden_cases": {"ok": True, "detail": "2 answered as where it was made"}, "processes": {"ok": True, "detail": "1 of 1 hold the model"},
        "database": {"ok": True, "detail": "0 jobs have not ended"}, "studies_writable": {"ok": True, "detail": "written and read"},
        "results_writable": {"ok": True, "detail": "written and read"}, "disk": {"ok": True, "detail": "20480 MB free, 1024 MB wanted"},
    },
}  # fmt: skip
FULL_REPORT: dict[str, Any] = {
    "id": ID,
    "links": {"report": f"/v1/results/{ID}/report", "masks": {"dicom-seg": f"/v1/results/{ID}/mask?format=dicom-seg"}},
    "case_id": "case-1f0a", "input_check": {"score": 0.4, "flagged": False, "reasons": []},
    "targets": [
        {
            "name": "tumor", "volume_ml": 61.3, "n_lesions": 1, "mean_confidence": 0.93,
            "volume_interval": {"low_ml": 52.0, "high_ml": 70.1, "coverage": 0.9, "coverage_low": 0.81, "coverage_high": 0.97},
            "predicted_dice": {"value": 0.82, "mean_absolute_error": 0.06, "needs_review": False, "review_recall": 0.9},
            "lesions": [
                {
                    "volume_ml": 61.3, "center_mm": [41.0, -12.5, 873.0], "confidence": 0.98, "longest_diameter_mm": 58.2,
                    "perpendicular_diameter_mm": 44.9,
                }
            ],
        }
    ],
    "passport": {
        "result_id": "0c1d2e3f", "model_name": "sts-petct", "model_version": "7", "run_id": "5be0", "bundle_digest": "84dbaaf5eda0",
        "plan_sha256": "91ab", "code_revision": "928bc8b", "data_revision": "a61f", "lesionflow_version": "0.1.0", "input_sha256": "77c0",
        "created_at": "2026-03-02T09:14:25+00:00", "predicted_dice": {"tumor": 0.82}, "unusual_input": False, "mask": None,
        "picture_sha256": None, "study": None, "report_sha256": None, "seal": "",
    },
    "seal": {"state": "trusted", "key_id": "3f9a"}, "timings_s": {"read": 0.6, "segment": 2.1, "write": 0.4}, "warnings": [],
    "disclaimer": "Research use only. Not a medical device.",
}  # fmt: skip
EVENTS = (
    'id: 1-segmenting-12\nevent: stage\ndata: {"stage": "segmenting", "fraction": 0.4, "seconds_left": 2.6}\n\n'
    f'id: 1-done\nevent: end\ndata: {{"id": "{ID}", "state": "done", ...}}\n\n'
)
