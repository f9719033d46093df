"""The publication that a judged round becomes.

Decides which of a judgement's facts are published, under which revision, and which
earlier one is withdrawn. Pure: time and earlier revision are arguments. Refuses to
judge (`validation`) and to store.
"""

from coordinator.priors import feed
from coordinator.rounds.round import Round
from coordinator.validation.judgement import Judgement
from federated_router.priors.blocks import Block
from federated_router.priors.publication import Priors


def publication(
    round_: Round, found: Judgement, *, earlier: int, now_s: float
) -> Priors:
    """Return what is published of a round; `earlier` is the newest revision, or 0."""
    return Priors(
        revision=feed.next_revision(earlier),
        round_name=round_.name,
        create_time_s=now_s,
        catalogue=round_.terms.catalogue,
        members=found.members,
        noise_standard_deviation=found.noise_by_block[Block.PERFORMANCE],
        noise_by_block=found.noise_by_block,
        contents=round_.terms.catalogue.decode(found.values),
        withdrawn_revision=earlier if found.earlier_harmful else 0,
    )
