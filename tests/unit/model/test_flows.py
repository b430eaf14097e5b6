from simcore.model.flows import Judgement, Outcome, Reason, Verdict, agreed, both

ALLOWED = Outcome(Verdict.ALLOW, Reason.NOT_ISOLATED)
DENIED = Outcome(Verdict.DENY, Reason.NO_RULE)


def judgement(egress, ingress):
    return Judgement(egress, ingress, both(egress.verdict, ingress.verdict))


def test_one_judgement_is_itself():
    only = judgement(ALLOWED, DENIED)
    assert agreed([only]) is only


def test_what_all_say_holds():
    assert agreed([judgement(ALLOWED, ALLOWED)] * 2) == judgement(ALLOWED, ALLOWED)


def test_different_verdicts_leave_it_unknown():
    found = agreed([judgement(ALLOWED, ALLOWED), judgement(ALLOWED, DENIED)])
    assert found.verdict is Verdict.UNKNOWN
    assert found.egress == ALLOWED
    assert str(found.ingress) == "mixed (allow: not-isolated, deny: no-rule)"


def test_a_denial_in_one_direction_or_the_other_is_a_denial():
    found = agreed([judgement(ALLOWED, DENIED), judgement(DENIED, ALLOWED)])
    assert found.verdict is Verdict.DENY
    assert found.egress.reason is found.ingress.reason is Reason.MIXED
