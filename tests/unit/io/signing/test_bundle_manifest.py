"""Every harm that can be done to a bundle's folder, and what its manifest says of it."""

import json
import shutil

import numpy as np
import pytest

from lesionflow.data.bundle import Bundle
from lesionflow.data.seal import Seal, SealState
from lesionflow.errors import ArtifactError
from lesionflow.io.signing import bundle_manifest
from lesionflow.io.signing.bundle_manifest import (
    MANIFEST,
    list_bundle_files,
    require_trusted,
    sign_bundle,
    verify_bundle,
)
from lesionflow.io.signing.keys import PRIVATE, make_keys
from lesionflow.io.stores.bundles import WEIGHTS, read_bundle, write_bundle
from support.bundles import small_bundle


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "team"
    make_keys(folder)
    return folder


@pytest.fixture
def trusting(team, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(team / PRIVATE))
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(team))
    (team / PRIVATE).rename(team / "signing-key.secret")
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(team / "signing-key.secret"))
    yield
    (team / "signing-key.secret").rename(team / PRIVATE)


@pytest.fixture
def folder(tmp_path, trusting):
    write_bundle(tmp_path / "bundle", small_bundle())
    return tmp_path / "bundle"


def test_who_signs_does_not_change_what_a_bundle_is(folder, tmp_path, monkeypatch):
    signed = read_bundle(folder)
    assert signed.seal.state is SealState.TRUSTED
    monkeypatch.delenv("LESIONFLOW_SIGNING_KEY")
    monkeypatch.delenv("LESIONFLOW_TRUSTED_KEYS")
    assert read_bundle(folder).seal.state is SealState.SIGNED
    assert write_bundle(tmp_path / "other", small_bundle()) == signed.digest
    assert read_bundle(tmp_path / "other").seal == Seal(
        manifest_sha256=read_bundle(tmp_path / "other").seal.manifest_sha256
    )
    (tmp_path / "other" / MANIFEST).unlink()
    old = read_bundle(tmp_path / "other")
    assert (old.digest, old.seal) == (signed.digest, Seal())


@pytest.mark.parametrize("signed", [True, False])
def test_one_flipped_bit_of_any_file_is_refused_by_the_files_name(folder, monkeypatch, signed):
    if not signed:
        sign_bundle(folder, None)
    rng = np.random.default_rng(3)
    for name in list_bundle_files(folder):
        whole = (folder / name).read_bytes()
        for place in {0, len(whole) - 1, *rng.integers(0, len(whole), 25).tolist()}:
            content = bytearray(whole)
            content[place] ^= 1 << int(rng.integers(8))
            (folder / name).write_bytes(content)
            with pytest.raises(ArtifactError, match=MANIFEST) as refused:
                read_bundle(folder)
            assert name in str(refused.value)
        (folder / name).write_bytes(whole)
    assert read_bundle(folder).card.epochs == 3


@pytest.mark.parametrize("old", [True, False])
def test_an_added_a_removed_and_a_runnable_file_are_refused_by_name(folder, tmp_path, old):
    if old:
        (folder / MANIFEST).unlink()
    for name in ("note.txt", ".hidden", "sub/evil.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
        with pytest.raises(ArtifactError, match=name):
            read_bundle(folder)
        (folder / name).unlink()
    (folder / "sub").rmdir()
    (folder / WEIGHTS).chmod(0o755)
    with pytest.raises(ArtifactError, match=f"{WEIGHTS}.*chmod"):
        read_bundle(folder)
    (folder / WEIGHTS).chmod(0o644)
    (tmp_path / "elsewhere").mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="linked"):
        read_bundle(folder)
    (folder / "linked").unlink()
    # Of the same bytes, which somebody may exchange after they were verified.
    (folder / WEIGHTS).rename(tmp_path / "weights")
    (folder / WEIGHTS).symlink_to(tmp_path / "weights")
    with pytest.raises(ArtifactError, match=f"found the link {WEIGHTS}"):
        read_bundle(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(ArtifactError, match=WEIGHTS):
        read_bundle(folder)


def test_zeroed_weights_pass_only_where_nobody_is_trusted(folder, monkeypatch):
    """Whoever can write the files makes all sums anew, and takes the signature away or signs by a key of his own."""
    bundle = read_bundle(folder)
    zeroed = Bundle(bundle.plan, {name: np.zeros_like(value) for name, value in bundle.weights.items()}, bundle.card)
    monkeypatch.delenv("LESIONFLOW_SIGNING_KEY")
    write_bundle(folder, zeroed)
    seal = verify_bundle(folder)
    assert (seal.state, seal.keys_known) == (SealState.UNSIGNED, 1)
    for word in ("allowed", "refused"):
        with pytest.raises(ArtifactError, match="found it unsigned"):
            require_trusted(seal, unsigned_bundles=word)
    theirs = make_keys(folder.parent / "theirs")
    sign_bundle(folder, theirs)
    with pytest.raises(ArtifactError, match="not among those trusted"):
        require_trusted(verify_bundle(folder))
    alone = verify_bundle(folder, {})
    require_trusted(alone)
    with pytest.raises(ArtifactError, match="change plan"):
        require_trusted(alone, unsigned_bundles="refused")
    with pytest.raises(ArtifactError, match="unsigned_bundles"):
        require_trusted(alone, unsigned_bundles="perhaps")
    require_trusted(verify_bundle(folder, {theirs.key_id: theirs.public_bytes}), unsigned_bundles="refused")


def test_a_manifest_of_another_bundle_does_not_pass(folder, tmp_path):
    write_bundle(tmp_path / "other", small_bundle(6))
    shutil.copy(tmp_path / "other" / MANIFEST, folder / MANIFEST)
    with pytest.raises(ArtifactError, match="altered"):
        read_bundle(folder)


def test_what_an_unsigned_manifest_says_of_the_bundle_is_the_cards(folder, monkeypatch):
    monkeypatch.setattr(bundle_manifest, "_facts", lambda _: {"code_revision": "mine"})
    sign_bundle(folder, None)
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="code_revision"):
        verify_bundle(folder)


def test_a_folder_without_a_bundle_can_not_be_sealed(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps({}))
    with pytest.raises(ArtifactError, match="SHA256SUMS"):
        sign_bundle(tmp_path, None)
