"""What one answer took, part by part where several nodes made it.

Decides whose tokens are reckoned by whose tariff: each node's own, and the prompt at
each of them, because each read it. Refuses to know what a token takes.
"""

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.proxy.neighbours import Footprints
from federated_router.routing.candidate import Candidate


class Bill:
    """The parts of one answer; `footprints` is None where nothing is reckoned."""

    def __init__(self, footprints: Footprints | None, tenant: str) -> None:
        self._footprints = footprints
        self._tenant = tenant
        self._lost: list[tuple[Candidate, int]] = []

    def lost_part(self, candidate: Candidate, tokens: int) -> None:
        """Note what a node that was lost had made."""
        if tokens and self._footprints is not None:
            self._lost.append((candidate, tokens))

    def close(
        self, candidate: Candidate, finished: pb.Finished, *, tokens: int
    ) -> None:
        """Say in the last event what the answer took, and count it for its tenant.

        `tokens` are those of the node that ended the answer.
        """
        footprints = self._footprints
        if footprints is None:
            return

        def part(of: Candidate, *, cached: int, tokens: int) -> pb.Footprint:
            return footprints.of(
                of.region,
                of.tariff,
                prompt_tokens=finished.prompt_tokens,
                prompt_tokens_cached=cached,
                completion_tokens=tokens,
            )

        total = part(candidate, cached=finished.prompt_tokens_cached, tokens=tokens)
        for lost, made in self._lost:
            _add(total, part(lost, cached=0, tokens=made))
        finished.footprint.CopyFrom(total)
        footprints.add(
            self._tenant, total, model=candidate.model, region=candidate.region
        )


def _add(total: pb.Footprint, part: pb.Footprint) -> None:
    """Add what a part took; what is not known of a part is not known of the whole."""
    total.joules += part.joules
    total.cost += part.cost
    if total.HasField("co2e_mg") and part.HasField("co2e_mg"):
        total.co2e_mg += part.co2e_mg
    else:
        total.ClearField("co2e_mg")
    total.energy_basis = min(total.energy_basis, part.energy_basis)
    if total.carbon_intensity != part.carbon_intensity:
        total.ClearField("carbon_intensity")
