from lesionflow.evaluation.gate.verdict import Judgement, Reason, Verdict, some_of


def test_the_sentence_names_what_refuses_before_what_only_lacks() -> None:
    reasons = (
        Reason("better_than_champion", held=False, detail="No gain is shown.", figures={}),
        Reason("no_lost_masks", held=False, detail="Two masks are lost.", figures={}, refuses=True),
        Reason("enough_patients", held=True, detail="40 patients.", figures={}),
    )
    found = Judgement(Verdict.REFUSED, reasons, promote=False, alpha=0.02, look=1, figures={})
    assert found.sentence() == "Refused: it does not become champion. Two masks are lost. No gain is shown."


def test_a_promotion_says_by_what() -> None:
    shown = (Reason("better_than_champion", held=True, detail="A gain of +0.05 is shown.", figures={}),)
    found = Judgement(Verdict.SUPERIOR, shown, promote=True, alpha=0.02, look=1, figures={})
    assert found.sentence() == "Superior: it becomes champion. A gain of +0.05 is shown."


def test_few_names_and_the_number_of_others() -> None:
    assert some_of(["a", "b"]) == "a, b"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
