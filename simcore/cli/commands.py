"""The group of all commands. It imports none of them before it is called, so that help is instant."""

from __future__ import annotations

import importlib
import sys
from typing import cast

import click

COMMANDS = {
    "demo": "Show what a policy change would cut in a made-up cluster.",
    "generate": "Make a cluster or a capture to try things on.",
    "check": "Check a file of expected connections.",
    "lint": "Find what is wrong with policies, and what mends it.",
    "explain": "Tell why one connection is allowed or denied.",
    "diagnose": "Find out why two ends do not talk, step by step.",
    "replay": "Judge every flow of a capture by the policies.",
    "verify": "Compare our verdicts with those that the dataplane recorded.",
    "whatif": "Show which connections a policy change would cut, and why.",
    "alerts": "Tell which alerts a policy change would make fire, and when.",
    "reach": "Show all connections that the policies allow, without a capture.",
    "diff": "Show what becomes of all possible connections, from some policies to others.",
    "probes": "Write connections to try on the cluster, to verify that policies are enforced.",
    "harden": "Propose policies that close namespaces, but for what they need.",
    "snapshot": "Take a snapshot of a live cluster through kubectl.",
    "convert": "Turn captures of any format into one in Parquet.",
    "anonymize": "Put pseudonyms in place of names and addresses, to send files to somebody else.",
    "formats": "Show the formats of captures that can be read.",
    "size": "Size the conntrack tables of every node, before and after a change.",
    "conntrack": "Show what a kernel's connection tracking makes of each packet.",
    "profiles": "Show what each network plugin enforces.",
    "bench": "Time this machine beside published figures.",
}
"""Every command and what it is for; the module and its `command` have the same name."""


class LazyGroup(click.Group):
    """A group whose commands are imported when one is chosen."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the chosen command."""
        if cmd_name not in COMMANDS:
            return None
        return cast(click.Command, importlib.import_module(f".{cmd_name}", __package__).command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, so that none is imported for its help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the version and leave."""
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"flowverdict {version('flowverdict')} (Python {sys.version.split()[0]})")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Data goes to standard output, everything else to standard error. Exit codes: 0 done, "
    "1 the answer is no, 2 wrong use or unreadable input.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print the version.",
)
def flowverdict() -> None:
    """Replay captured flows through Kubernetes network policies: what would a policy change cut, and why.

    Try it: flowverdict demo
    """
