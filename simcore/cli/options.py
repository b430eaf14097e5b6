"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from math import isnan
from typing import Any, TypeVar, cast

import click

from ..model.agent import NEWEST, CiliumAgent
from ..model.plugins import PLUGINS, plugin_named
from ..model.ports import PROTOCOL_NAMES, PROTOCOL_NUMBERS
from ..model.profile import Profile
from ..model.requests import Request, read_headers
from .inputs import Sources, WantedProfile

REQUEST_OPTIONS = {
    "http_method": ("METHOD", "Method of an HTTP request that the connection carries, such as GET."),
    "http_path": ("PATH", "Its path, with the query string."),
    "http_host": ("HOST", "The host it names, with the port if it names one."),
    "http_headers": ("'NAME: VALUE'", "A header of it; those not named are taken to be absent."),
    "dns_query": ("NAME", "Domain name that is asked for."),
    "tls_sni": ("NAME", "Server name that a TLS client asks for."),
}
"""Parts of requests: what stands for each in help, and what it is."""

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]


class Protocol(click.ParamType[int]):
    """A protocol by name or IANA number."""

    name = "protocol"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            return protocol_number(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def protocol_number(value: object) -> int:
    """Return the number of a protocol given by name or number.

    Raises
    ------
    ValueError
        There is no such protocol.
    """
    text = str(value).upper()
    if text in PROTOCOL_NUMBERS:
        return PROTOCOL_NUMBERS[text]
    if text.isascii() and text.isdigit() and int(text) <= 255:
        return int(text)
    raise ValueError(f"{value!r} is no protocol; there are {', '.join(PROTOCOL_NAMES.values())}, and numbers up to 255")


class Count(click.ParamType[int]):
    """A number such as 5000, 50k or 10M."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        from loaders.synthetic.counts import parse_count

        try:
            return value if isinstance(value, int) else parse_count(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Number(click.FloatRange):
    """A number within a range, which "nan" is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


CONNTRACK_SETTINGS = "flowverdict.conntrack"
"""Where in the context the settings of a conntrack are kept."""


def _settings(ctx: click.Context, __: click.Parameter, settings: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Check every ``NAME=VALUE``; with ``--preset``, names that a profile does not know are left to a conntrack."""
    found: list[tuple[str, str]] = []
    takes_conntrack = any(parameter.name == "preset" for parameter in ctx.command.params)
    for setting in settings:
        name, equals, word = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r} is not NAME=VALUE, such as hostnetwork=pod")
        if takes_conntrack and name.strip() not in {**Profile.choices(), **Profile.agent_choices()}:
            ctx.meta.setdefault(CONNTRACK_SETTINGS, []).append(setting)
            continue
        try:
            plugin_named("cilium").profile.with_setting(name.strip(), word.strip())
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
        found.append((name.strip(), word.strip()))
    return tuple(found)


def _cilium_version(_: click.Context, __: click.Parameter, version: str | None) -> str | None:
    """Check a version of Cilium."""
    try:
        if version is not None:
            CiliumAgent().of_version(version)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return version


def _settings_help() -> str:
    def listed(choices: dict[str, tuple[str, ...]]) -> str:
        return "; ".join(f"{name}={'|'.join(words) or 'NAME'}" for name, words in choices.items())

    return (
        f"What the dataplane does where the API leaves it open, the default first: {listed(Profile.choices())}. "
        f"Of Cilium's agent, where it enforces: {listed(Profile.agent_choices())}. Repeatable."
    )


def _paths(*names: str, **settings: Any) -> Decorator[Any]:
    return click.option(*names, metavar="PATH", multiple=True, **settings)


_CLUSTER = _paths(
    "--cluster",
    "-c",
    "cluster",
    required=True,
    help="The cluster: a snapshot, manifests, or kubectl get ... -A -o json; file, folder, or - for standard input. "
    "Repeatable.",
)
_POLICIES = _paths("--policies", "-p", "policies", help="Policies to use instead of the cluster's own. Repeatable.")
_BASELINE = _paths(
    "--baseline",
    "--policies",
    "-p",
    "policies",
    help="Policies before the change, instead of the cluster's own. Repeatable.",
)
_CANDIDATE = _paths("--candidate", help="The whole set of policies after the change. Repeatable.")
_APPLY = _paths("--apply", "applied", help="Policies to add or replace, as kubectl apply does. Repeatable.")
_DELETE = click.option(
    "--delete",
    "deleted",
    metavar="KIND/[NAMESPACE/]NAME",
    multiple=True,
    help="A policy to delete, such as netpol/shop/web; kinds as kubectl takes them. Repeatable.",
)
_ENFORCE_STAGED = click.option(
    "--enforce-staged",
    is_flag=True,
    help="Put staged policies in force, each in place of the one of its name, after all other changes.",
)


_DATED_CLUSTER = _paths(
    "--cluster",
    "-c",
    "cluster",
    required=True,
    help="The cluster: manifests, or kubectl get ... -A -o json; file, folder, quoted pattern, or - for standard "
    "input. TIME=PATH, or a time in the name of a file, makes it a snapshot of that time. Repeatable.",
)
_TIMELINE = click.option(
    "--timeline",
    type=click.Choice(("auto", "off")),
    default="auto",
    show_default=True,
    callback=lambda _ctx, _param, word: word == "auto",
    help="auto: the cluster as it was at the time of each flow, as far as files and objects tell their times; "
    "off: the cluster as it is written, at all times.",
)
_POLICIES_HISTORY = click.option(
    "--policies-history",
    "policies_history",
    metavar="[TIME=]PATH",
    help="The policies of each time, instead of the cluster's own: a folder in git, each commit from its date on; or "
    "an audit log or a watch, which changes the cluster's own.",
)
_NAMES = _paths(
    "--dns",
    "--hosts",
    "names",
    help="What domain names in policies stand for: JSON, lists of addresses by name, also with times; or lines of an "
    "address and its names, as in /etc/hosts. Beside it, DNS answers in the capture tell. Repeatable.",
)


def _sources(*options: Decorator[Any]) -> Decorator[Any]:
    """Make a decorator that hands what the options say to a command as one argument, `sources`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(**arguments: Any) -> Any:
            _refuse_stdin_twice(click.get_current_context())
            given = {field.name: arguments.pop(field.name, field.default) for field in fields(Sources)}
            _refuse_two_histories(given)
            return function(sources=Sources(**given), **arguments)

        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _refuse_two_histories(given: Mapping[str, Any]) -> None:
    if not given["policies_history"]:
        return
    if given["policies"]:
        raise click.UsageError("--policies and --policies-history both say which policies there are. Name one of them")
    if not given["timeline"]:
        raise click.UsageError("--policies-history is of several times: leave --timeline off out")


def _refuse_stdin_twice(ctx: click.Context) -> None:
    """Refuse to read several inputs from standard input: the first would leave nothing to the second."""
    named: list[str] = []
    for param in ctx.command.params:
        if param.metavar in ("PATH", "TESTS.yaml"):
            value = ctx.params[str(param.name)]
            given = value if isinstance(value, tuple) else (value,)
            times = sum(path == "-" or str(path).endswith("=-") for path in given)
            named += [param.opts[0] if isinstance(param, click.Option) else param.metavar] * times
    if len(named) > 1:
        raise click.UsageError(
            f"{' and '.join(named)} name standard input (-), which can be read once. Write the others to files"
        )


_SHARED_CLUSTER = _paths(
    "--cluster",
    "-c",
    "cluster",
    help="The cluster of both sides, which are then policies alone; without it, each side brings its own. Repeatable.",
)

cluster_option = _sources(_CLUSTER)
shared_cluster_options = _sources(_SHARED_CLUSTER, _NAMES)
cluster_options = _sources(_CLUSTER, _POLICIES)
source_options = _sources(_CLUSTER, _POLICIES, _APPLY, _DELETE, _NAMES)
_dated = (_DATED_CLUSTER, _TIMELINE)
dated_options = _sources(*_dated, _POLICIES, _POLICIES_HISTORY, _APPLY, _DELETE, _NAMES)
hardening_options = _sources(*_dated, _POLICIES, _POLICIES_HISTORY, _NAMES)
change_options = _sources(*_dated, _BASELINE, _POLICIES_HISTORY, _CANDIDATE, _APPLY, _DELETE, _ENFORCE_STAGED, _NAMES)


def profile_options(function: F) -> F:
    """``--cni NAME``, ``--cilium-version`` and ``--set NAME=VALUE``: what a command gets as `wanted`."""

    @wraps(function)
    def command(
        *arguments: Any,
        cni: str | None,
        cilium_version: str | None,
        settings: tuple[tuple[str, str], ...],
        **others: Any,
    ) -> Any:
        return function(*arguments, wanted=WantedProfile(cni, settings, cilium_version), **others)

    named = click.option(
        "--cni",
        type=click.Choice([plugin.name for plugin in PLUGINS]),
        metavar="NAME",
        help="The network plugin that enforces; flowverdict profiles lists them. Guessed from the cluster without it.",
    )
    of_version = click.option(
        "--cilium-version",
        metavar="VERSION",
        callback=_cilium_version,
        help="Cilium's version, where it enforces, such as 1.18; policies mean different things to different ones. "
        f"{'.'.join(map(str, NEWEST))} without it.",
    )
    with_settings = click.option(
        "--set", "settings", metavar="NAME=VALUE", multiple=True, callback=_settings, help=_settings_help()
    )
    return cast(F, named(of_version(with_settings(command))))


def request_options(function: F) -> F:
    """What the connection carries: what a command gets as `request`, None where nothing is told."""

    @wraps(function)
    def command(*arguments: Any, **others: Any) -> Any:
        parts = {name: others.pop(name) for name in REQUEST_OPTIONS}
        parts["http_headers"] = parts["http_headers"] or None
        if parts["dns_query"] is not None:
            parts["dns_query"] = dns_name(parts["dns_query"])
        request = Request(**parts)
        return function(*arguments, request=None if request == Request() else request, **others)

    for name, (metavar, text) in reversed(REQUEST_OPTIONS.items()):
        if name == "http_headers":
            option = click.option(
                "--http-header", name, metavar=metavar, multiple=True, callback=_headers, help=f"{text} Repeatable."
            )
        else:
            option = click.option(f"--{name.replace('_', '-')}", name, metavar=metavar, help=text)
        command = option(command)
    return cast(F, command)


def dns_name(text: str) -> str:
    """Write a domain name as captures do: in small letters, without final dot."""
    return text.lower().removesuffix(".")


def _headers(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(map(header, texts))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def header(text: str) -> tuple[str, str]:
    """Read a header.

    Raises
    ------
    ValueError
        It is not written ``Name: value``.
    """
    found = read_headers(text)
    if len(found) != 1:
        raise ValueError(f"{text!r} is not a header. Write 'Name: value'")
    return found[0]


def format_option(*formats: str) -> Decorator[Any]:
    """``--format``, with text as its default."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default="text",
        show_default=True,
        help="How the answer is written; the exit code does not depend on it.",
    )


def limit_option(function: F) -> F:
    """``--limit N``: pairs shown in text."""
    return click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=20,
        show_default=True,
        metavar="N",
        help="Most pairs of each kind to show as text; JSON has all.",
    )(function)
