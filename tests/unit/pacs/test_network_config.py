"""What a PACS file may say."""

import pytest

from lesionflow.errors import ConfigError
from lesionflow.pacs.network_config import Peer, read_network_config, read_secret
from support.pacs_peers import write_config

RULE = {"name": "ct", "series": [{"modality": "CT"}], "destinations": ["archive"]}
ARCHIVE = {"archive": {"ae_title": "ARCHIVE", "host": "pacs", "port": 104}}


def test_a_file_is_read_and_its_spool_lies_beside_it(tmp_path):
    config = read_network_config(write_config(tmp_path, destinations=ARCHIVE, rules=[RULE]))
    assert config.spool == tmp_path / "spool"
    assert config.rules[0].formats == ("dicom-seg", "rtstruct", "dicom-sr")
    assert config.listen.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rules": [RULE]}, "destinations that are not there: archive"),
        ({"destinations": ARCHIVE, "rules": [RULE, RULE]}, "two rules of one name"),
        ({"destinations": {"archive": {"host": "pacs"}}}, "either ae_title, host and port, or url"),
        ({"destinations": {"archive": {**ARCHIVE["archive"], "url": "http://pacs"}}}, "either ae_title"),
        ({"destinations": {"../x": ARCHIVE["archive"]}}, "should match pattern"),
        ({"peers": [{"ae_title": "A" * 17, "addresses": ["10.0.0.1"]}]}, "at most 16 characters"),
        ({"peers": [{"ae_title": "A\\B", "addresses": ["10.0.0.1"]}]}, "should match pattern"),
        ({"peers": [{"ae_title": "A", "addresses": []}]}, "at least 1 item"),
        ({"peers": [{"ae_title": "A", "addresses": ["anywhere"]}]}, "does not appear to be"),
        (
            {"destinations": ARCHIVE, "rules": [{**RULE, "series": [{"modality": "CT", "description": "("}]}]},
            "no regular expression",
        ),
        ({"quiet": 3}, "quiet_s"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, values, said):
    with pytest.raises(ConfigError, match="does not fit") as error:
        read_network_config(write_config(tmp_path, **values))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("address", "is_there"), [("10.0.0.7", True), ("10.0.1.7", False), ("::ffff:10.0.0.7", True), ("::1", False)]
)
def test_a_peer_calls_from_its_addresses_alone(address, is_there):
    assert Peer(ae_title="A", addresses=("10.0.0.0/24",)).is_at(address) is is_there


def test_a_key_stands_alone_in_its_file(tmp_path):
    (tmp_path / "key").write_text("lfk_abc\n")
    assert read_secret(tmp_path / "key").get_secret_value() == "lfk_abc"
    assert "abc" not in str(read_secret(tmp_path / "key"))
    assert read_secret(None) is None
