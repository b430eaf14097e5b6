"""Profiles of dataplanes that tests need."""

from dataclasses import replace

from simcore.model.policy import NETWORKPOLICY, Position, Tier
from simcore.model.profile import UPSTREAM

ANTREA = replace(
    UPSTREAM,
    tiers=(
        Tier("cnp-admin", Position((0,), (220,)), judges_hairpin=True),
        Tier("anp", Position((0,), (251,)), judges_hairpin=True),
        replace(NETWORKPOLICY, position=Position((1,))),
        Tier("cnp-baseline", Position((2,), (254,)), fallback=True, judges_hairpin=True),
        Tier("banp", Position((2,), (254,)), fallback=True, judges_hairpin=True),
    ),
)
