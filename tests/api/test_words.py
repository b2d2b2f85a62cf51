"""Every reason and every decision can be said in words."""

from api.words import decision_in_words, reason_in_words
from engine.reasons import Decision, Reason


def test_every_reason_is_a_sentence_of_its_own_in_both_languages() -> None:
    english = [reason_in_words(reason) for reason in Reason]
    french = [reason.sentence_in("fr") for reason in Reason]
    assert english == [reason.sentence_in("en") for reason in Reason]
    sentences = english + french
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in sentences)


def test_every_decision_can_be_told() -> None:
    told = {decision_in_words(decision, None) for decision in (None, *Decision)}
    assert len(told) == 1 + len(Decision)
