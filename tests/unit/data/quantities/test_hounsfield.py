import pytest

from lesionflow.data.quantities.hounsfield import hu_fault


@pytest.mark.parametrize("span", [(-1024, 3071), (-3024, 31_000), (0, 0), (0, 60), (-1000, -1000)])
def test_what_a_ct_can_hold(span):
    assert hu_fault(*span) == ""


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((40, 64_536), "signed"),  # -1000 HU, stored as 16 bits without a sign
        ((-65_536, 0), "signed"),
        ((0, 0.2), "attenuation"),  # per cm, water
        ((0, 1), "attenuation"),  # scaled
        ((-3999, -1003), "slope"),  # 2999 as stored, slope -1, intercept -1000
    ],
)
def test_what_none_can(span, expected):
    assert expected in hu_fault(*span)
