from lesionflow.cohort.pseudonym import pseudonym


def test_a_pseudonym_depends_on_key_kind_and_identifier_and_shows_none():
    names = {
        pseudonym("k", "c", "1.2"),
        pseudonym("l", "c", "1.2"),
        pseudonym("k", "p", "1.2"),
        pseudonym("k", "c", "1.3"),
    }
    assert len(names) == 4
    assert pseudonym("k", "c", "1.2") == pseudonym("k", "c", "1.2")
    # By another program: printf 'c\0001.2' | openssl dgst -sha256 -hmac k
    assert pseudonym("k", "c", "1.2") == "c-63cd61c89a67"
