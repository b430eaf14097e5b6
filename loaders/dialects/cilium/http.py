"""HTTP requests that a rule lets through (CI-27)."""

from __future__ import annotations

from simcore.model.regexes import RegexError, matcher
from simcore.model.requests import HeaderMatch, HttpMatch

from ..fields import Field, describe

_FIELDS = ("method", "path", "host", "headers", "headerMatches")
_HINTS = {
    "paths": "One path an item: write path",
    "methods": "One method an item: write method",
    "header": "Did you mean headers? It takes a list",
}
_HEADER_FIELDS = ("name", "value", "secret", "mismatch")
_ACTIONS = ("LOG", "ADD", "DELETE", "REPLACE")


def read_http(item: Field) -> tuple[HttpMatch, str, str]:
    """Read one rule: what it asks for, the same in words, and why it may not be told whether a request is one."""
    entry = item.mapping(_FIELDS, _HINTS)
    doubts: list[str] = []
    method, path = (_regex(entry.get(name), doubts) for name in ("method", "path"))
    host = _regex(entry.get("host"), doubts, is_checked=False)
    headers = [_header(each) for each in entry.get("headers").items()]
    matches = [_header_match(each, doubts) for each in entry.get("headerMatches").items()]
    asked = tuple(each for each in (*headers, *matches) if each is not None)
    made = HttpMatch(method, path, host, asked)
    return made, _words(entry, asked), doubts[0] if doubts else ""


def _regex(field: Field, doubts: list[str], *, is_checked: bool = True) -> str | None:
    """Read a regular expression; of those that are not checked before they reach Envoy, a wrong one is a doubt."""
    text = field.text()
    if not text:
        return None
    try:
        matcher(text)
    except RegexError as error:
        if is_checked:
            field.error(f"{text!r} is not a regular expression, as Go's regexp tells: {error}")
        else:
            doubts.append(f"{text!r} is not a regular expression that Envoy takes: {error}")
    else:
        return text
    return None


def _header(item: Field) -> HeaderMatch | None:
    """Read ``Name: value``, parted at the first blank; a text without one asks for the name alone."""
    text = item.text()
    if not text:
        item.error("a header is required, such as 'X-Team: shop'")
        return None
    name, blank, value = text.partition(" ")
    return HeaderMatch(name.rstrip(":").lower() if blank else name.lower(), value if blank else None)


def _header_match(item: Field, doubts: list[str]) -> HeaderMatch | None:
    entry = item.mapping(_HEADER_FIELDS, {"action": "Did you mean mismatch?"})
    name, action, secret = entry.get("name").text(), entry.get("mismatch").text(), entry.get("secret")
    if not name:
        entry.error("Header name missing. Add it", "name")
    if action and action not in _ACTIONS:
        entry.error(f"Invalid header action: {describe(action)}. Use one of {', '.join(_ACTIONS)}, or none", "mismatch")
    own = secret.mapping(("namespace", "name"))
    if secret.value is not None and not own.get("name").text():
        secret.error("Secret name missing. Add it", "name")
    if action or not name:
        return None
    if secret.value is not None:
        doubts.append(f"what header {name} must be is kept in Secret {own.get('name').value}, which is not read")
    return HeaderMatch(name.lower(), entry.get("value").text() or None)


def _words(entry: Field, headers: tuple[HeaderMatch, ...]) -> str:
    method, path, host = (entry.get(name).value for name in ("method", "path", "host"))
    parts = [method, path, f"host {host}" if host else ""]
    parts += [f"header {each.name}" + ("" if each.value is None else f": {each.value}") for each in headers]
    return " ".join(str(part) for part in parts if part) or "any request"
