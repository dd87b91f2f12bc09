import pytest

from lesionflow.phantoms import PhantomStudy, make_study

SEED = 7


@pytest.fixture(scope="module")
def studies() -> list[PhantomStudy]:
    return [make_study(SEED, index, "ct") for index in range(12)]


def test_tumors_grow_in_several_organs(studies: list[PhantomStudy]) -> None:
    assert {t.site.organ for s in studies for t in s.tumors} >= {"lung", "liver", "muscle", "retroperitoneum"}
