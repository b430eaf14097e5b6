"""The report of `alerts`: which would fire, when and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ..monitoring.alerts import Alert, AlertsResult, Course
from ..monitoring.rules import Rule
from .structure import Choice, Column, Line, Report, Section, Span, Table, Tone, faint, line, strong
from .words import count, duration, iso_time, moment, period, share

_SECOND = 1_000_000_000
_WINDOW = 300
"""Seconds that our rates look back."""


def alerts(result: AlertsResult, limit: int) -> Report:
    """Make the report: the headline, then every alert with those for whom it fires, is pending or stays quiet."""
    return Report(
        title=line(f"Alerts over {count(result.flows, 'flow')}"),
        summary=tuple(_summary(result)),
        warnings=tuple(_warnings(result)),
        sections=tuple(_sections(result, limit)),
        notes=tuple(_notes(result)),
    )


def _summary(result: AlertsResult) -> Iterator[Line]:
    if result.begin > result.end:
        return
    length = duration(result.end - result.begin) if result.end > result.begin else "0 s"
    when = period(result.begin * _SECOND, result.end * _SECOND)
    yield line(f"{when} ({length}), evaluated every {duration(result.interval)}.")
    if not result.has_change:
        fired = len(result.firing_after)
        yield line(strong(f"{count(fired, 'alert')} would fire.")) if fired else line("No alert would fire.")
        return
    new, ended = result.new, [alert for alert in result.firing_before if not alert.after.firings]
    still = len(result.firing_after) - len(new)
    if not new:
        yield line("The change would make no alert fire that does not fire without it.")
    for alert in new[:_MOST_TOLD]:
        yield line(
            Span(alert.name, Tone.BAD),
            f" would fire after the change{_whom(alert)}: at {moment(alert.after.firings[0].begin * _SECOND)} UTC, "
            f"{_after(alert.after.firings[0].begin - result.begin)}.",
        )
    if len(new) > _MOST_TOLD:
        yield line(f"... and {count(len(new) - _MOST_TOLD, 'more alert')} that would fire after the change.")
    if still:
        yield line(f"{count(still, 'alert')} would fire with the change as without it.")
    if ended:
        yield line(f"{count(len(ended), 'alert')} would fire no more: {_names(ended)}.")


_MOST_TOLD = 5
"""New alerts that the headline tells one by one."""


def _names(chosen: list[Alert]) -> str:
    return ", ".join(dict.fromkeys(f"{alert.name}{_whom(alert)}" for alert in chosen[:_MOST_TOLD]))


def _whom(alert: Alert) -> str:
    """Write for whom: `` for namespace shop``; nothing where there are no labels that tell."""
    words = label_words(alert)
    return f" for {words}" if words else ""


def label_words(alert: Alert) -> str:
    """Write the labels of an alert, ours shortly: ``namespace shop, egress``, ``shop/Deployment/web``."""
    labels = dict(alert.labels)
    if alert.rule is None:
        return ", ".join(f"{name} {value}" for name, value in alert.labels)
    if "workload" in labels:
        return "/".join(value for name, value in alert.labels)
    return ", ".join(value if name == "direction" else f"{name} {value}" for name, value in alert.labels)


def _after(seconds: int) -> str:
    return f"{duration(seconds)} after the capture's start" if seconds else "at the capture's start"


def _warnings(result: AlertsResult) -> Iterator[Line]:
    if result.begin > result.end:
        yield line("No record tells a time, so that there is nothing to evaluate.")
    elif result.rules and result.end - result.begin < _WINDOW:
        yield line(
            f"The capture is shorter than the {duration(_WINDOW)} that rates are taken over: they never come to "
            "their full height, and alerts may stay quiet that would fire."
        )
    if result.unknown:
        yield line(
            f"The verdict of {count(result.unknown, 'flow')} ({share(result.unknown, result.flows)}) is not known: "
            "they count as neither dropped nor let through, and alerts may fire for them too. whatif tells why."
        )
    if result.untimed:
        yield line(f"{count(result.untimed, 'record')} without time, or from before 1970, left out.")


def _sections(result: AlertsResult, limit: int) -> Iterator[Section]:
    if result.source:
        for name, found in groupby(result.alerts, lambda alert: alert.name):
            yield _section(result, line(strong(name)), list(found), limit)
    for rule in result.rules:
        held = [alert for alert in result.alerts if alert.rule == rule]
        if held:
            yield _section(result, line(strong(rule.alert), f"  {_condition(rule)}"), held, limit)


def _condition(rule: Rule) -> str:
    held = f" for {duration(rule.hold)}" if rule.hold else ""
    if not rule.is_rate:
        return f"where no policy isolates a new pod without labels{held}"
    many = f"more than {rule.threshold:g}" if rule.threshold else "any"
    what = _COUNTED[rule.metric.name]
    return f"{many} {what} a second{held}" if rule.threshold else f"{many} {what}{held}"


_COUNTED = {
    "cilium_drop_count_total": "dropped packets",
    "flowverdict_dns_queries_denied_total": "dropped DNS queries",
    "coredns_dns_responses_total": "answers SERVFAIL",
    "flowverdict_unexpected_egress_total": "connections to public addresses that no rule speaks of",
}


def _section(result: AlertsResult, title: Line, held: list[Alert], limit: int) -> Section:
    ordered = sorted(held, key=lambda alert: (_rank(alert), -(alert.after.peak or 0.0), alert.labels))
    has_peak = result.rules and any(alert.rule is not None and alert.rule.is_rate for alert in held)
    whats = ("before", "after") if result.has_change else ("",)
    columns = [Column("for"), *(Column(what or "state") for what in whats)]
    if has_peak:
        columns += [Column(f"highest {what}".rstrip(), True) for what in whats]
    rows = tuple(_row(result, alert, bool(has_peak)) for alert in ordered[:limit])
    wide = Table(tuple(columns), rows)
    kept = [*range(len(whats) + 1), len(columns) - 1]
    narrow = Table(tuple(wide.columns[number] for number in kept), tuple(tuple(row[n] for n in kept) for row in rows))
    more = [line(f"... and {len(ordered) - limit:,} more (--limit)")] if len(ordered) > limit else []
    return Section(title, (Choice(wide, (narrow,)) if has_peak else wide, *more))


def _rank(alert: Alert) -> int:
    """Put what is new first, then what fires, what fired, what is pending, what stays quiet."""
    if alert.is_new:
        return 0
    if alert.after.firings:
        return 1
    if alert.before.firings:
        return 2
    return 3 if alert.after.pending is not None else 4


def _row(result: AlertsResult, alert: Alert, has_peak: bool) -> tuple[Line, ...]:
    courses = (alert.before, alert.after) if result.has_change else (alert.after,)
    cells = [line(label_words(alert) or "everything"), *(line(_state(result, course)) for course in courses)]
    if has_peak:
        cells += [line("" if course.peak is None else f"{course.peak:,.4g}") for course in courses]
    return tuple(cells)


def _state(result: AlertsResult, course: Course) -> Span:
    if not course.firings:
        return faint("quiet") if course.pending is None else Span("pending only", Tone.DOUBT)
    first, last = course.firings[0], course.firings[-1]
    start = "from the start" if first.begin == result.begin else f"from {_clock(result, first.begin)}"
    plus = f" (+{duration(first.begin - result.begin)})" if first.begin > result.begin else ""
    times = f", {len(course.firings)} times" if len(course.firings) > 1 else ""
    end = "" if last.end == result.end else f" to {_clock(result, last.end)}"
    return Span(f"fires {start}{plus}{end}{times}", Tone.BAD)


def _clock(result: AlertsResult, time: int) -> str:
    """Write a time, without what goes without saying: the day, where there is one, and no seconds."""
    text = moment(time * _SECOND).removesuffix(":00")
    is_one_day = moment(result.begin * _SECOND)[:10] == moment(result.end * _SECOND)[:10]
    return text[11:] if is_one_day else text[5:]


def _notes(result: AlertsResult) -> Iterator[Line]:
    if result.begin > result.end:
        return
    if result.rules:
        yield line(
            "Rates are taken over 5 min. Nothing is known of the time before the capture: counters begin at 0 with it, "
            "and rates take 5 min to come to their height."
        )
    tried = f"A lookup that is dropped counts {count(result.attempts.dns, 'time')} (--dns-attempts)"
    yield line(f"{tried}, a TCP connection up to {count(result.attempts.syn, 'time')} (--syn-attempts).")
    if result.scale != 1:
        yield line(f"Each record stands for {result.scale:g} (--scale).")


def alerts_json(result: AlertsResult) -> dict[str, object]:
    """Say the same as data."""
    return {
        "flows": result.flows,
        "begin": iso_time(result.begin * _SECOND) if result.begin <= result.end else None,
        "end": iso_time(result.end * _SECOND) if result.begin <= result.end else None,
        "interval_seconds": result.interval,
        "step_seconds": result.step,
        "scale": result.scale,
        "dns_attempts": result.attempts.dns,
        "syn_attempts": result.attempts.syn,
        "untimed": result.untimed,
        "unknown": result.unknown,
        "rules_file": result.source or None,
        "firing_before": len(result.firing_before),
        "firing_after": len(result.firing_after),
        "new": len(result.new),
        "alerts": [_alert_json(result, alert) for alert in result.alerts],
    }


def _alert_json(result: AlertsResult, alert: Alert) -> dict[str, object]:
    rule = alert.rule
    told: dict[str, object] = {"alert": alert.name, "labels": dict(alert.labels)}
    if rule is not None:
        told |= {"expression": rule.expression, "threshold": rule.threshold, "for_seconds": rule.hold}
    return {
        **told,
        "new": alert.is_new,
        "before": _course_json(result, alert.before),
        "after": _course_json(result, alert.after),
    }


def _course_json(result: AlertsResult, course: Course) -> dict[str, object]:
    return {
        "pending_since": None if course.pending is None else iso_time(course.pending * _SECOND),
        "firing": [
            {
                "begin": iso_time(firing.begin * _SECOND),
                "end": iso_time(firing.end * _SECOND),
                "seconds_after_start": firing.begin - result.begin,
            }
            for firing in course.firings
        ],
        "highest": course.peak,
    }
