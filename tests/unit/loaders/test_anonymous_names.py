"""Pseudonyms of names, addresses and places in an order: what of the originals they keep, and what not."""

import ipaddress
import os
import re
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.anonymous.addresses import Addresses
from loaders.anonymous.keyfile import KeyFile
from loaders.anonymous.order import Order
from loaders.anonymous.patterns import IntoWordsError, written_pattern, written_text
from loaders.anonymous.pseudonyms import Pseudonyms
from loaders.anonymous.words import Words
from loaders.dialects.names import label_key_complaint, label_value_complaint, port_name_complaint
from simcore.errors import LoadError
from simcore.model.cilium import is_identity_label

KEY = bytes(range(32))
WORDS = Words(KEY)
ADDRESSES = Addresses(KEY)
LABEL_VALUES = st.from_regex(r"[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?", fullmatch=True)
POLICY_NAMES = st.text("ab-.", max_size=6).map(lambda text: f"x{text}y")


def plain(texts):
    return ipaddress.ip_network(texts, strict=False)


@pytest.mark.parametrize(
    "kept",
    ["default", "kubernetes", "kube-system", "kube-public", "calico-node", "kube-flannel-ds", "true", "", "svc", "k8s"],
)
def test_names_that_every_cluster_has_are_kept(kept):
    assert WORDS.name(kept) == kept


def test_a_name_has_the_pseudonyms_of_its_words():
    pod, owner, prefix = map(WORDS.name, ("web-7c9f8d-abcde", "web-7c9f8d", "web-"))
    assert pod.startswith(f"{owner}-") and owner.startswith(prefix)
    assert owner.removesuffix(f"-{WORDS.name('7c9f8d')}") == WORDS.name("web")


def test_numbers_of_replicas_stay_and_others_do_not():
    assert WORDS.name("web-0") == f"{WORDS.name('web')}-0"
    run = WORDS.name("backup-28473640")
    assert run.rpartition("-")[2].isdecimal() and "28473640" not in run
    assert not any(octet in WORDS.name("ip-10-3-7-9.eu.internal") for octet in ("10", "3", "7", "9"))
    assert "10" not in WORDS.name("10.3.7.9")


def test_another_key_gives_other_names():
    assert Words(bytes(32)).name("web") != WORDS.name("web")


@given(LABEL_VALUES, LABEL_VALUES)
def test_values_of_labels_stay_values_and_apart(one, other):
    assert label_value_complaint(WORDS.name(one)) is None
    assert (WORDS.name(one) == WORDS.name(other)) is (one == other)
    assert (len(WORDS.name(one)) > 62) is (len(one) > 62)


@pytest.mark.parametrize("length", [62, 63, 64, 200])
def test_long_names_go_on_fitting_a_label_or_not(length):
    made = WORDS.name(("some-name-of-many-words-" * 9)[: length - 1] + "x")
    assert min(len(made), 64) == min(length, 64) or (length == 62 and len(made) <= 62)


@given(st.one_of(LABEL_VALUES, LABEL_VALUES.map(lambda key: f"some.example/{key}")))
def test_keys_of_labels_stay_keys_that_cilium_sees_or_not(key):
    made = WORDS.key(key)
    assert label_key_complaint(made) is None
    assert is_identity_label(made) is is_identity_label(key)


@pytest.mark.parametrize(
    "key", ["controller-uid-x", "annotation-z", "etcd_nodes", "beta.kubernetes.io/arch", "io.kubernetes"]
)
def test_keys_that_cilium_does_not_see_go_on_unseen(key):
    assert not is_identity_label(key) and not is_identity_label(WORDS.key(key))


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("app", "app"),
        ("app.kubernetes.io/name", "app.kubernetes.io/name"),
        ("projectcalico.org/namespace", "projectcalico.org/namespace"),
        ("k8s:io.kubernetes.pod.namespace", "k8s:io.kubernetes.pod.namespace"),
        ("reserved:host", "reserved:host"),
        ("pcns.squad", f"pcns.{WORDS.name('squad')}"),
        ("any:squad", f"any:{WORDS.name('squad')}"),
        (
            "k8s:io.cilium.k8s.namespace.labels.acme.example/squad",
            f"k8s:io.cilium.k8s.namespace.labels.{WORDS.name('acme.example')}/{WORDS.name('squad')}",
        ),
    ],
)
def test_keys_with_a_meaning_of_their_own_keep_it(key, made):
    assert WORDS.key(key) == made


def test_ports_have_names_and_numbers_stay():
    assert port_name_complaint(WORDS.port("metrics")) is None
    assert WORDS.port("metrics") != WORDS.port("http")
    assert [WORDS.port(text) for text in ("80", "8000:8100", "")] == ["80", "8000:8100", ""]


def test_wildcards_go_on_matching_whole_words():
    name, pattern = WORDS.domain("API.web.Example.com."), WORDS.domain("*.web.example.com.")
    assert name.endswith(pattern.removeprefix("*")) and name.endswith(".")


@given(st.ip_addresses(), st.ip_addresses())
def test_addresses_share_as_many_bits_as_before(one, other):
    if one.version != other.version:
        return
    made, others = (ipaddress.ip_address(ADDRESSES.address(str(each))) for each in (one, other))
    if getattr(made, "ipv4_mapped", None) or getattr(one, "ipv4_mapped", None):
        return
    assert (int(made) ^ int(others)).bit_length() == (int(one) ^ int(other)).bit_length()


@given(st.ip_addresses(), st.integers(0, 128))
def test_blocks_hold_the_addresses_that_they_held(address, length):
    block = plain(f"{address}/{min(length, address.max_prefixlen)}")
    if getattr(address, "ipv4_mapped", None) or (
        block.version == 6 and block.network_address < plain("::/64")[2**64 - 1]
    ):
        return
    assert ipaddress.ip_address(ADDRESSES.address(str(address))) in plain(ADDRESSES.cidr(str(block)))


@pytest.mark.parametrize(
    ("block", "made"),
    [
        *((text, text) for text in ("0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
        *((text, text) for text in ("169.254.169.254/32", "224.0.0.1/32", "127.0.0.1/32", "255.255.255.255/32")),
        *((text, text) for text in ("::/0", "fd00::/8", "fe80::/10", "ff02::1/128", "::1/128")),
    ],
)
def test_blocks_of_a_meaning_of_their_own_keep_it(block, made):
    assert ADDRESSES.cidr(block) == made


def test_groups_of_neighbour_discovery_do_not_tell_whom_they_look_for():
    made = ADDRESSES.address("ff02::1:ffab:cdef")
    assert ipaddress.ip_address(made) in plain("ff02::1:ff00:0/104") and "ab:cdef" not in made


def test_bits_beyond_a_block_go_on_being_there():
    assert plain(ADDRESSES.cidr("10.1.2.3/16")) == plain(ADDRESSES.cidr("10.1.0.0/16"))
    assert ADDRESSES.cidr("10.1.2.3/16") != ADDRESSES.cidr("10.1.0.0/16")


@given(st.lists(st.lists(POLICY_NAMES, max_size=5), max_size=5))
def test_names_that_decide_by_their_order_sort_as_before(rounds):
    names = Pseudonyms(KeyFile("", KEY))
    seen = {"default"}
    given_before = {}
    for found in rounds:
        names.learn("policies", found)
        seen |= set(found)
        made = {name: names.policy(name) for name in seen}
        assert sorted(seen, key=lambda name: f"{name}/") == sorted(seen, key=lambda name: f"{made[name]}/")
        assert given_before.items() <= made.items()
        given_before = made


def test_tiers_sort_around_those_that_are_kept():
    names = Pseudonyms(KeyFile("", KEY))
    tiers = ["a", "default", "defaults", "kube", "kube-admin", "kube-admina", "kube-baseline", "security", "z"]
    made = [names.tier(tier) for tier in tiers]
    assert made == sorted(made)
    assert {"default", "kube-admin", "kube-baseline"} <= set(made) and "security" not in " ".join(made)


def test_there_is_always_room_for_one_more():
    order = Order({}, {})
    order.learn(["a", "z"])
    for number in range(200):
        order.learn([f"m{number:03}"])
    codes = [order.code(name) for name in sorted(order.codes)]
    assert codes == sorted(codes) and len(set(codes)) == len(codes)


def test_a_key_file_is_made_for_its_owner_alone_and_remembers_orders(tmp_path):
    path = str(tmp_path / "key")
    names = Pseudonyms.open(path)
    first = names.policy("web")
    names.save()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    again = Pseudonyms.open(path)
    again.learn("policies", [f"p{number}" for number in range(50)])
    assert again.policy("web") == first
    assert again.name("shop") == names.name("shop")


@pytest.mark.parametrize("content", ["", "{}", '{"key": "ab"}', '{"key": 1}', "not json"])
def test_a_file_that_is_no_key_is_refused(content, tmp_path):
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(LoadError, match="this is no key file"):
        Pseudonyms.open(str(path))


PIECES = [
    "/",
    "/",
    "a",
    "bc",
    "7",
    ".*",
    ".+",
    "[^/]+",
    "[^/]*",
    r"\d+",
    "[0-9]*",
    r"\.",
    "-",
    "_",
    "?",
    "(/x)?",
    "(a|7)",
    "|",
]
PIECES += ["(/[^/]+)*", "(?:-a)+", "[a-z]+", "b?", "^", "$", r"\w+", "(", ")", "{2}", "[/-]", "(?i)"]
PARTS = ["/", "/", "a", "bc", "b", "7", "77", "x", "-", "_", ".", "", "A", "é", "?"]


@settings(max_examples=20 * settings.default.max_examples)
@given(
    st.lists(st.sampled_from(PIECES), max_size=6), st.lists(st.lists(st.sampled_from(PARTS), max_size=6), max_size=8)
)
def test_expressions_match_the_same_texts_or_are_refused(pieces, texts):
    pattern = "".join(pieces)
    try:
        made = written_pattern(pattern, WORDS.web_word)
    except IntoWordsError:
        return
    try:
        before = re.compile(pattern, re.ASCII)
    except re.error:
        return
    after = re.compile(made, re.ASCII)
    for text in map("".join, texts):
        hidden = written_text(text, WORDS.web_word)
        assert bool(before.fullmatch(text)) is bool(after.fullmatch(hidden)), (made, text, hidden)


@pytest.mark.parametrize(
    "pattern",
    [
        "/public",
        "/v1/.*",
        "/orders(/.*)?",
        r"/items/\d+",
        r"/v1/items(\?.*)?",
        r"api\.example\.com(:[0-9]+)?",
        ".*",
        "/a|/b/c",
    ],
)
def test_expressions_of_whole_words_can_be_written(pattern):
    assert written_pattern(pattern, lambda word: word) == pattern


@pytest.mark.parametrize(
    "pattern",
    ["/public.*", ".*admin", "/v[0-9]+", "[a-z]+", "/x{2}", "(?i)/a", r"/\x41", "a?", "(ab)+", "(a|b)c", "..", "("],
)
def test_expressions_that_look_into_words_are_refused(pattern):
    with pytest.raises(IntoWordsError):
        written_pattern(pattern, lambda word: word)
