from support.plans import FINGERPRINT, plan_of


def test_only_what_changes_an_array_changes_the_preprocessing_digest() -> None:
    plan = plan_of(FINGERPRINT)
    assert plan_of(FINGERPRINT, batch_size=2).preprocessing_digest() == plan.preprocessing_digest()
    assert plan_of(FINGERPRINT, batch_size=2).digest() != plan.digest()
    for change in ({"spacing_mm": (None, 2.0, 2.0)}, {"denoising": "median"}, {"ct_window_hu": (0.0, 80.0)}):
        assert plan_of(FINGERPRINT, **change).preprocessing_digest() != plan.preprocessing_digest()
