"""DVC as people use it beside `lesionflow run`: experiments, plots and metrics without a network, remotes. Real programs, small data."""

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from lesionflow.workspace.layout import dvc_yaml
from lesionflow.workspace.versioning.dvc_program import dvc_command

pytestmark = pytest.mark.timeout(600)
whole = pytest.mark.skipif(
    not os.environ.get("LESIONFLOW_TEST_WHOLE"), reason="many calls of DVC, two seconds each: LESIONFLOW_TEST_WHOLE=1"
)


def call(*command, at, **more):
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", **more}
    done = subprocess.run([*map(str, command)], cwd=at, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def git(*arguments, at):
    return call("git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments, at=at)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    git("init", "-q", at=folder)
    call(*dvc_command("init", "-q"), at=folder)
    return folder


#: Instead of training: what a step is told of the experiment, in the words of our own function.
STAND_IN = """
import json, sys
from lesionflow.steps.experiments import experiment_name
json.dump({"experiment": experiment_name()}, open("told.json", "w"))
"""


@whole
@pytest.mark.parametrize("temporary", [[], ["--temp"]])
def test_a_real_experiment_is_known_as_one_and_a_run_is_not(repository, temporary):
    (repository / "stand_in.py").write_text(STAND_IN)
    (repository / "params.yaml").write_text("rate: 1\n")
    stage = {"cmd": f"{sys.executable} stand_in.py", "params": ["rate"], "outs": [{"told.json": {"cache": True}}]}
    (repository / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"register": stage}}))
    source = str(Path(__file__).resolve().parents[2] / "src")
    call(*dvc_command("repro"), at=repository, PYTHONPATH=source)
    assert json.loads((repository / "told.json").read_text()) == {"experiment": ""}
    git("add", "-A", at=repository)
    git("commit", "-qm", "a run", at=repository)
    call(*dvc_command("exp", "run", "-n", "brave-newt", "-S", "rate=2", *temporary), at=repository, PYTHONPATH=source)
    if temporary:
        call(*dvc_command("exp", "apply", "brave-newt"), at=repository)
    assert json.loads((repository / "told.json").read_text()) == {"experiment": "brave-newt"}


@whole
def test_metrics_and_plots_are_shown_without_a_network(repository):
    content = yaml.safe_load(dvc_yaml())
    (repository / "dvc.yaml").write_text(yaml.safe_dump({key: content[key] for key in ("metrics", "plots")}))
    evaluation = repository / "reports" / "evaluation"
    (evaluation / "plots").mkdir(parents=True)
    (evaluation / "headline.json").write_text('{"dice": 0.75}')
    # The smallest PNG.
    picture = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
    (evaluation / "plots" / "dice.png").write_bytes(picture)
    git("add", "-A", at=repository)
    git("commit", "-qm", "before", at=repository)
    (evaluation / "headline.json").write_text('{"dice": 0.8}')
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    changed = json.loads(call(*dvc_command("metrics", "diff", "--json"), at=repository, **nowhere))
    assert changed["reports/evaluation/headline.json"]["dice"]["diff"] == pytest.approx(0.05)
    call(*dvc_command("plots", "show"), at=repository, **nowhere)
    page = (repository / "dvc_plots" / "index.html").read_text()
    # The page's own pictures: nothing of another server is needed to see them.
    (shown,) = [part.split('"')[1] for part in page.split("<img")[1:] for part in [part[part.index("src=") :]]]
    assert (repository / "dvc_plots" / shown).read_bytes() == picture


def round_trip(repository, tmp_path, **environment):
    """Push a file to a remote, clone, pull, and find the same bytes."""
    (repository / "data").mkdir()
    (repository / "data" / "case.bin").write_bytes(bytes(range(256)) * 40)
    call(*dvc_command("add", "-q", "data"), at=repository, **environment)
    git("add", "-A", at=repository)
    git("commit", "-qm", "data", at=repository)
    call(*dvc_command("push", "-q"), at=repository, **environment)
    git("clone", "-q", str(repository), str(tmp_path / "clone"), at=tmp_path)
    call(*dvc_command("pull", "-q"), at=tmp_path / "clone", **environment)
    assert (tmp_path / "clone" / "data" / "case.bin").read_bytes() == bytes(range(256)) * 40


@whole
def test_a_folder_is_a_remote(repository, tmp_path):
    call(*dvc_command("remote", "add", "-q", "-d", "team", str(tmp_path / "store")), at=repository)
    round_trip(repository, tmp_path)


@whole
def test_an_s3_is_a_remote(repository, tmp_path):
    """moto's S3 on loopback, over HTTP as a real one."""
    boto3, moto = import_module("boto3"), import_module("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        keys = {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        }
        client = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        client.create_bucket(Bucket="studies")
        call(*dvc_command("remote", "add", "-q", "-d", "team", "s3://studies/project"), at=repository)
        call(*dvc_command("remote", "modify", "-q", "team", "endpointurl", endpoint), at=repository)
        round_trip(repository, tmp_path, **keys)
        stored = [entry["Key"] for entry in client.list_objects_v2(Bucket="studies")["Contents"]]
        assert all(key.startswith("project/files/md5/") for key in stored)
        assert len(stored) == 2
    finally:
        server.stop()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@whole
def test_a_machine_by_ssh_is_a_remote(repository, tmp_path):
    """Debian's sshd on loopback, with keys made for this test."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here (Debian: apt-get install openssh-server)")
    home = tmp_path / "ssh"
    home.mkdir(mode=0o700)
    for name in ("host", "user"):
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name, at=home)
    shutil.copy(home / "user.pub", home / "authorized_keys")
    port = free_port()
    (home / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home / 'host'}\nAuthorizedKeysFile {home / 'authorized_keys'}\n"
        f"PidFile {home / 'pid'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([sshd, "-D", "-e", "-f", str(home / "config")], stderr=subprocess.PIPE) as server:
        try:
            url = f"ssh://127.0.0.1:{port}{tmp_path / 'store'}"
            call(*dvc_command("remote", "add", "-q", "-d", "team", url), at=repository)
            for key, value in (("user", Path.home().owner()), ("keyfile", str(home / "user"))):
                call(*dvc_command("remote", "modify", "-q", "team", key, value), at=repository)
            round_trip(repository, tmp_path)
            assert len(list((tmp_path / "store").rglob("*.dir"))) == 1
        finally:
            server.terminate()
