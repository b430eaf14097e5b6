"""Kafka requests that a rule lets through, up to Cilium 1.19 (CI-33)."""

from __future__ import annotations

import re

from simcore.model.requests import KafkaMatch

from ..fields import Field, describe

_FIELDS = ("role", "apiKey", "apiVersion", "clientID", "topic")
_ROLES = {
    "produce": frozenset({"produce", "metadata", "apiversions"}),
    "consume": frozenset(
        {
            "fetch",
            "offsets",
            "metadata",
            "offsetcommit",
            "offsetfetch",
            "findcoordinator",
            "joingroup",
            "heartbeat",
            "leavegroup",
            "syncgroup",
            "apiversions",
        }
    ),
}
_KEYS = frozenset(
    {
        *_ROLES["produce"],
        *_ROLES["consume"],
        "leaderandisr",
        "stopreplica",
        "updatemetadata",
        "controlledshutdown",
        "describegroups",
        "listgroups",
        "saslhandshake",
        "createtopics",
        "deletetopics",
        "deleterecords",
        "initproducerid",
        "offsetforleaderepoch",
        "addpartitionstotxn",
        "addoffsetstotxn",
        "endtxn",
        "writetxnmarkers",
        "txnoffsetcommit",
        "describeacls",
        "createacls",
        "deleteacls",
        "describeconfigs",
        "alterconfigs",
    }
)
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,255}")


def read_kafka(item: Field) -> tuple[KafkaMatch, str]:
    """Read one rule: what it asks for, and the same in words."""
    entry = item.mapping(_FIELDS, {"apikey": "Did you mean apiKey?", "clientId": "Did you mean clientID?"})
    role, key, topic = (entry.get(name).text() for name in ("role", "apiKey", "topic"))
    if role and role.lower() not in _ROLES:
        entry.error(f"{describe(role)} is not a role. Write produce or consume", "role")
    if role and key:
        entry.error("role and apiKey may not stand beside each other. Keep one", "apiKey")
    if key and key.lower() not in _KEYS:
        entry.error(f"{describe(key)} is not a request of Kafka's, such as fetch", "apiKey")
    if topic and not _TOPIC.fullmatch(topic):
        entry.error(f"{describe(topic)} is not a topic: up to 255 letters, digits, '.', '_' and '-'", "topic")
    version, client = (entry.get(name).text() for name in ("apiVersion", "clientID"))
    if version and not (version.isascii() and version.isdigit()):
        entry.error(f"{describe(version)} is not a version: write a number in quotes", "apiVersion")
    keys = _ROLES.get(role.lower()) if role else frozenset({key.lower()}) if key else None
    words = " ".join(part for part in (role, key, topic, client and f"client {client}") if part)
    return KafkaMatch(keys, topic or None, unseen=bool(version or client)), words or "any request"
