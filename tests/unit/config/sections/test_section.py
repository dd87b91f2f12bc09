"""What holds for all sections: frozen, strict about names, no default where a mask may change."""

import pytest
from pydantic import ValidationError

from lesionflow.config import ChannelRule, Params, RegisterConfig, Section


def _sections(kind=Params):
    yield kind
    for field in kind.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _sections(field.annotation)


def test_a_section_is_frozen_and_knows_no_other_names():
    section = RegisterConfig(model_name="a")
    with pytest.raises(ValidationError, match="frozen"):
        section.model_name = "b"
    with pytest.raises(ValidationError, match="Extra inputs"):
        RegisterConfig(model_name="a", modelname="a")


def test_no_key_has_a_default_in_code():
    defaults = [(kind.__name__, name) for kind in _sections() for name, field in kind.model_fields.items() if not field.is_required()]  # fmt: skip
    assert defaults == []
    assert {name for name, field in ChannelRule.model_fields.items() if not field.is_required()} == {
        "body_part", "reconstruction_kernel",
    }  # fmt: skip


def test_every_section_says_what_its_change_makes_anew():
    assert [kind.__name__ for kind in _sections() if kind is not Params and not hasattr(kind, "made_anew")] == []
