"""`LESIONFLOW_MORE_MODELS` as it is written, and what can't be meant by it."""

import pytest

from lesionflow.errors import ConfigError
from lesionflow.serving.settings import ServiceSettings, load_service_settings


def test_registered_models_and_folders_are_told_apart(tmp_path):
    for name in ("unetpp", "other"):
        (tmp_path / name).mkdir()
    text = f"sts-unetpp, sts-3d/challenger,sts-2d/7 ,{tmp_path}/unetpp, second={tmp_path}/other"
    assert ServiceSettings(model_name="sts-unet", more_models=text).further == (
        ("sts-unetpp", "champion"),
        ("sts-3d", "challenger"),
        ("sts-2d", "7"),
        ("unetpp", f"{tmp_path}/unetpp"),
        ("second", f"{tmp_path}/other"),
    )
    assert ServiceSettings().further == ()


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("b", None, "LESIONFLOW_MODEL_NAME"),
        ("a", "a", "a twice"),
        ("b, b/challenger", "a", "b twice"),
        ("b=/nowhere/at/all", "a", "folder of a bundle"),
        ("b/champion/7", "a", "NAME/ALIAS-OR-VERSION"),
        ("?b", "a", "NAME/ALIAS-OR-VERSION"),
    ],
)
def test_what_can_not_be_meant_is_refused_when_the_service_starts(monkeypatch, text, name, said):
    monkeypatch.setenv("LESIONFLOW_MORE_MODELS", text)
    if name:
        monkeypatch.setenv("LESIONFLOW_MODEL_NAME", name)
    with pytest.raises(ConfigError, match="LESIONFLOW_MORE_MODELS") as error:
        load_service_settings()
    assert said in str(error.value)
