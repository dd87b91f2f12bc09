import numpy as np
import pytest

from lesionflow.data.hounsfield import require_hu
from lesionflow.errors import InputError


@pytest.mark.parametrize("values", [[-1024.0, 3071.0], [30710.0], [32767.0], [], [-32768.0]])
def test_what_a_ct_can_hold(values):
    require_hu(np.array(values), name="c-1")


def test_a_lost_sign_is_refused():
    # -1000 HU, stored as 16 bits without a sign, is 64,536.
    with pytest.raises(InputError, match="64536") as caught:
        require_hu(np.array([40.0, 64536.0]), name="c-1")
    assert caught.value.reason == "implausible_hu"
