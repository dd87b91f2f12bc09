from lesionflow.data.seal import Seal, SealState


def test_only_a_key_that_is_trusted_here_makes_a_seal_trusted():
    assert [Seal(state=state).trusted for state in SealState] == [True, False, False]


def test_what_people_are_told_names_the_key_and_whether_it_counts():
    key = "0123456789abcdef" * 4
    assert Seal(state=SealState.TRUSTED, key_id=key).in_words() == "signed by the trusted key 0123456789ab"
    assert "not among those trusted" in Seal(state=SealState.SIGNED, key_id=key).in_words()
    assert Seal().in_words() == "unsigned"
