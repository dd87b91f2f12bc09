"""A team makes its keys and seals a bundle that was made without."""

from lesionflow.cli import main
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from support.bundles import small_bundle


def test_a_team_makes_its_keys_and_seals_an_old_bundle(tmp_path, monkeypatch, capsys):
    write_bundle(tmp_path / "bundle", small_bundle())
    assert main(["keys", "sign", str(tmp_path / "bundle")]) == 2
    assert "LESIONFLOW_SIGNING_KEY" in capsys.readouterr().err
    assert main(["keys", "new", str(tmp_path / "team")]) == 0
    private, public = tmp_path / "team" / "signing-key.pem", tmp_path / "team" / "signing-key.pub"
    assert str(private) in capsys.readouterr().out
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(private))
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(public))
    before = read_bundle(tmp_path / "bundle")
    assert main(["keys", "sign", str(tmp_path / "bundle")]) == 0
    assert "it was unsigned" in capsys.readouterr().out
    after = read_bundle(tmp_path / "bundle")
    assert (before.seal.trusted, after.seal.trusted, after.digest) == (False, True, before.digest)
    assert main(["keys", "new", str(tmp_path / "team")]) == 2
