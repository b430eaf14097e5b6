"""What Cilium's proxies make of a request. A rule holds (True), does not (False), or cannot be told (None).

A request is a mapping with some of ``method``, ``path``, ``host``, ``headers`` (a mapping), ``query``, ``sni`` and
``kafka`` (``apiKey``, ``topic``); what is absent is not known.
"""

from __future__ import annotations

import re

ROLES = {
    "produce": {"produce", "metadata", "apiversions"},
    "consume": {
        *("fetch", "offsets", "metadata", "offsetcommit", "offsetfetch", "findcoordinator", "joingroup", "heartbeat"),
        *("leavegroup", "syncgroup", "apiversions"),
    },
}
ASKS = {"http": ("method", "path", "host", "headers"), "dns": ("query",), "kafka": ("kafka",), "tls": ("sni",)}
LABEL = "[-a-zA-Z0-9_]"


def any_of(answers):
    found = list(answers)
    return True if True in found else None if None in found else False


def all_of(answers):
    found = list(answers)
    return False if False in found else None if None in found else True


def tells(request, parser):
    """Whether the request says anything that a parser looks at."""
    return any(part in request for part in ASKS[parser])


def is_anything(parser, rule):
    """Whether the rule lets every request of its protocol through."""
    if rule == "anything":
        return True
    if parser == "http":
        return http_holds(rule, {}) is True
    if parser == "kafka":
        return not rule
    return parser == "dns" and not (rule.get("matchPattern") or "?").strip("*.")


def holds(parser, rule, request, version):
    match parser:
        case "http":
            return http_holds(rule, request)
        case "dns":
            return dns_holds(rule, request["query"], version)
        case "kafka":
            return kafka_holds(rule, request["kafka"])
    raise ValueError(parser)


def http_holds(rule, request):
    whole = [text_holds(rule[part], request.get(part)) for part in ("method", "path", "host") if rule.get(part)]
    listed = [header_holds(*split_header(text), request) for text in rule.get("headers") or []]
    matched = [
        header_holds(item["name"], item.get("value") or None, request)
        for item in rule.get("headerMatches") or []
        if not item.get("mismatch")
    ]
    return all_of([*whole, *listed, *matched])


def text_holds(pattern, value):
    return None if value is None else bool(re.fullmatch(pattern, value))


def split_header(text):
    name, space, value = text.partition(" ")
    return name.rstrip(":") if space else name, value if space else None


def header_holds(name, value, request):
    if request.get("headers") is None:
        return None
    found = [given for other, given in request["headers"].items() if other.lower() == name.lower()]
    return bool(found) if value is None else value in found


def dns_holds(rule, query, version):
    return name_holds(rule, query, version)


def name_holds(rule, name, version):
    """Whether a name is the one, or one of those, that ``matchName`` or ``matchPattern`` mean."""
    plain = name.lower().rstrip(".")
    if rule.get("matchName"):
        return plain == rule["matchName"].lower().rstrip(".")
    return bool(re.fullmatch(name_regex(rule["matchPattern"].lower(), version), plain))


def name_regex(pattern, version):
    if pattern.strip("*") in ("", "."):
        return ".*"
    pattern = pattern.rstrip(".")
    if pattern.startswith("**.") and version >= (1, 19):
        return f"({LABEL}+[.])+" + starred(pattern[3:])
    return starred(pattern)


def starred(pattern):
    return f"{LABEL}*".join(re.escape(part) for part in re.split(r"\*+", pattern))


def sni_holds(names, name, version):
    if version < (1, 19):
        return name.lower() in [known.lower() for known in names]
    return any(name_holds({"matchPattern": known}, name, version) for known in names)


def kafka_holds(rule, asked):
    keys = ROLES[rule["role"]] if rule.get("role") else {rule["apiKey"]} if rule.get("apiKey") else None
    if keys is not None and asked["apiKey"] not in keys:
        return False
    if rule.get("topic") and asked.get("topic") not in ("", None, rule["topic"]):
        return False
    return None if rule.get("clientID") or rule.get("apiVersion") else True
