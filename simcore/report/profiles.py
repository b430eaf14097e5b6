"""The report of `profiles`: network plugins, what each enforces, and how it differs."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.plugins import Habit, NetworkPlugin
from ..model.profile import UPSTREAM, Profile
from .structure import Entry, Line, Report, Section, faint, line, strong


def profiles(plugins: Sequence[NetworkPlugin]) -> Report:
    """Make the report, one entry a plugin."""
    entries = tuple(_entry(plugin) for plugin in plugins)
    return Report(
        line("Network plugins"),
        summary=(line("--cni NAME takes one of them, --set NAME=VALUE changes a setting of it."),),
        sections=(Section((), entries),),
    )


def profiles_json(plugins: Sequence[NetworkPlugin]) -> dict[str, object]:
    """Make the JSON of `profiles --format json`."""
    return {
        "plugins": [
            {
                "name": plugin.name,
                "title": plugin.title,
                "enforces": list(plugin.enforces),
                "settings": _differences(plugin.profile),
                "habits": [{"text": h.text, "source": h.source, "judged": h.judged} for h in plugin.habits],
            }
            for plugin in plugins
        ]
    }


def _entry(plugin: NetworkPlugin) -> Entry:
    enforced = ", ".join(plugin.enforces) or "nothing"
    fields: list[tuple[str, Line]] = [("applies", line(enforced))]
    if differences := _differences(plugin.profile):
        fields.append(("set", line(", ".join(f"{name}={word}" for name, word in differences.items()))))
    fields += [("" if position else "habits", _habit(habit)) for position, habit in enumerate(plugin.habits)]
    return Entry(line(strong(plugin.name), f"  {plugin.title}"), tuple(fields))


def _habit(habit: Habit) -> Line:
    unjudged = "" if habit.judged else "; not judged"
    return line(habit.text, " ", faint(f"({habit.source}{unjudged})"))


def _differences(profile: Profile) -> dict[str, str]:
    """Return the settings that are not upstream's."""
    values = {name: (getattr(profile, name), getattr(UPSTREAM, name)) for name in Profile.choices()}
    return {name: str(own).lower() for name, (own, upstream) in values.items() if own != upstream}
