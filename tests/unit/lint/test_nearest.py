"""What is taken for a misspelt label, and what is not."""

from simcore.lint.nearest import nearest
from simcore.model.labels import LabelSelector, Operator, Requirement

PODS = [{"app": "web", "tier": "front"}, {"app": "web", "tier": "front"}, {"app": "db", "role": "store"}]


def held(selector):
    return sum(selector.matches(labels) for labels in PODS)


def find(**labels):
    return nearest(LabelSelector.equal(labels), PODS, held)


def test_a_misspelt_value():
    found = find(app="wbe", tier="front")
    assert (str(found.was), str(found.better), found.held) == ("app=wbe", "app=web", 2)
    assert found.selector == LabelSelector.equal({"app": "web", "tier": "front"})


def test_a_misspelt_key():
    assert str(find(teir="front").better) == "tier=front"


def test_the_value_under_another_key():
    assert str(find(name="store").better) == "role=store"


def test_every_other_label_is_to_hold_too():
    assert find(app="wbe", tier="back") is None


def test_nothing_near():
    assert find(app="cache") is None
    anything = LabelSelector.of(Requirement("zone", Operator.EXISTS))
    assert nearest(anything, PODS, held) is None
