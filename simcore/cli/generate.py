"""``flowverdict generate``: made-up clusters and captures to try things on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .console import emit
from .inputs import Gathering, Sources, WantedProfile
from .options import Count, Number, cluster_option, cluster_options, profile_options

SIZES = ("S", "M", "L", "XL")


@click.group("generate")
def command() -> None:
    """Make a cluster or a capture to try things on; the same seed makes the same files."""


_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="N", help="Another seed, other files."
)


@command.command("cluster")
@click.option(
    "--size",
    type=click.Choice(SIZES, case_sensitive=False),
    default="S",
    show_default=True,
    help="About 1,000, 20,000 or 100,000 pods; XL: 100,000, and policies that list 20,000 CIDR blocks.",
)
@click.option(
    "--dialect",
    type=click.Choice(("kubernetes", "cilium")),
    default="kubernetes",
    show_default=True,
    help="NetworkPolicies, or these beside Cilium's policies.",
)
@_seed
@click.option("--out", type=click.Path(file_okay=False), required=True, metavar="DIR", help="Folder to write to.")
def cluster(size: str, dialect: str, seed: int, out: str) -> None:
    """Make a cluster with policies, as manifests."""
    from loaders.synthetic.cluster import generate_cluster

    files = generate_cluster(size, seed, out, cilium=dialect == "cilium")
    emit(f"{files.cluster}\n{files.policies}\n")


@command.command("flows")
@cluster_option
@click.option("--count", type=Count(), required=True, metavar="N", help="How many flows: 5000, 50k, 10M.")
@_seed
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE.parquet",
    help="Parquet file to write.",
)
def flows(sources: Sources, count: int, seed: int, out: str) -> None:
    """Make a capture of flows between the pods of a cluster: mostly what its policies allow, some mistakes."""
    from loaders.synthetic.flows import generate_flows

    from ..analyses.results import check_replaced
    from ..model.flows import Flow, Verdict
    from ..reference import Reference

    check_replaced(Path(out), Path(out))
    inputs = Gathering(sources, WantedProfile()).finish()
    reference = Reference(inputs.cluster, inputs.after, inputs.profile)

    def expected(flow: Flow) -> bool:
        return reference.judge(flow).verdict is Verdict.ALLOW

    emit(f"{generate_flows(inputs.cluster, count, seed, out, expected=expected)}\n")


@command.command("hubble")
@cluster_options
@profile_options
@click.option("--count", type=Count(), required=True, metavar="N", help="How many lines: 5000, 50k, 2M.")
@_seed
@click.option("--per-node", is_flag=True, help="A file for each node, its name before the suffixes.")
@click.option("--audit", is_flag=True, help="Policies are in audit mode: what they deny is let through, and told.")
@click.option("--bad-line", is_flag=True, help="Cut off a line in the middle.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE.json[.gz|.zst]",
    help="File to write; its name tells how it is packed.",
)
def hubble(
    sources: Sources,
    wanted: WantedProfile,
    count: int,
    seed: int,
    per_node: bool,
    audit: bool,
    bad_line: bool,
    out: str,
) -> None:
    """Make a Hubble export: what a cluster's nodes write down of connections that its policies allow and deny."""
    from loaders.synthetic.hubble.export import generate_hubble

    from ..reference import Reference

    inputs = Gathering(sources, replace(wanted, plugin=wanted.plugin or "cilium")).finish()
    files = generate_hubble(
        inputs.cluster,
        inputs.after,
        count,
        seed,
        out,
        lambda cluster: Reference(cluster, inputs.after, inputs.profile).judge,
        per_node=per_node,
        audit=audit,
        bad_line=bad_line,
    )
    emit("".join(f"{file}\n" for file in files))


@command.command("packets")
@click.option("--count", type=Count(), required=True, metavar="N", help="How many connections: 5000, 50k, 1M.")
@click.option(
    "--seconds",
    type=Number(0, 1e9, min_open=True),
    default=60.0,
    show_default=True,
    metavar="S",
    help="How long connections keep beginning.",
)
@click.option(
    "--live",
    type=Count(),
    metavar="N",
    help="Open all connections, close none, and send N packets more, each on any of them at random.",
)
@_seed
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    required=True,
    metavar="FILE.parquet",
    help="Parquet file to write.",
)
def packets(count: int, seconds: float, live: int | None, seed: int, out: str) -> None:
    """Make a capture of packets between clients and servers: TCP, DNS and other UDP, pings; some get no answer."""
    from loaders.synthetic.packets import generate_packets

    from ..analyses.results import check_replaced

    if count < 1:
        raise click.BadParameter("a capture needs at least one connection", param_hint="'--count'")
    check_replaced(Path(out), Path(out))
    emit(f"{generate_packets(count, seed, out, seconds=seconds, live=live)}\n")
