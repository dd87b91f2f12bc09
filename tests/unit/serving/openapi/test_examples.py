"""Examples name nobody, and one job throughout; the document's test holds them against their types."""

import json
import re

from lesionflow.serving.openapi import examples


def test_all_examples_tell_of_one_job():
    told = [value for name, value in vars(examples).items() if name.isupper() and isinstance(value, dict)]
    ids = set(re.findall(r"[0-9a-f]{32}\b", json.dumps(told)))
    assert {one for one in ids if len(one) == 32 and one in examples.ID} == {examples.ID}
