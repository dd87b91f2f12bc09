"""What is told of each route, beside what the document's test holds."""

from lesionflow.serving.openapi.operations import OPERATIONS
from lesionflow.serving.results.formats import ANSWERS


def test_no_two_operations_share_a_name():
    names = [one.operation_id for one in OPERATIONS]
    assert len(names) == len(set(names))


def test_a_mask_is_told_in_every_format():
    (segment,) = [one for one in OPERATIONS if one.operation_id == "segment"]
    assert {answer.media_type for answer in ANSWERS.values()} == set(segment.responses[200]["content"])


def test_every_operation_says_what_goes_wrong_at_any_time():
    for one in OPERATIONS:
        assert {400, 403, 421, 500, 503, "default"} <= set(one.responses)
