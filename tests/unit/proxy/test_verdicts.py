"""Each public request is learned from once, with the reward that counts."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.choice.sight import Sight, sight_of
from federated_router.federation.statistics import Statistics
from federated_router.kit.errors import FieldInvalid, NodeLost
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.priors.prompt import Prompt
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.proxy.recording import Recording
from federated_router.proxy.verdicts import Verdicts
from tests.unit.proxy.test_public_answers import asked
from tests.unit.proxy.test_recording import CANDIDATE

SEEN = sight_of(Prompt(text="why?", characters=4, turns=1), word_features=0)


@dataclass
class Heard:
    """Outcomes that wait for their caller's report."""

    models: list[str] = field(default_factory=list)
    views: list[tuple[bool, bool]] = field(default_factory=list)
    tell: Callable[[Sight, float], None] | None = None

    def remember(
        self,
        tenant: str,
        request_id: str,
        model: str,
        prompt: Prompt,
        *,
        tell: Callable[[Sight, float], None],
    ) -> None:
        """Keep what to tell."""
        assert (tenant, request_id) == ("alice", "r")
        assert prompt.turns == 0
        self.models.append(model)
        self.tell = tell

    def served(
        self,
        tenant: str,
        request_id: str,
        *,
        succeeded: bool,
        stopped_by_length: bool = False,
    ) -> None:
        """Keep the router's own view."""
        assert (tenant, request_id) == ("alice", "r")
        self.views.append((succeeded, stopped_by_length))


@pytest.fixture
def statistics() -> Statistics:
    """Return empty statistics, and let alice be the caller."""
    set_current_identity(Identity(Role.CLIENT, "alice", "a.example"))
    return Statistics()


def patterns(statistics: Statistics) -> tuple[int, int]:
    """Return the successes and failures by pattern."""
    batch = statistics.pending()
    counts = batch.over(batch.latency_bounds_ms).patterns.values()
    return sum(one.successes for one in counts), sum(one.failures for one in counts)


@pytest.mark.parametrize(("reward", "counted"), [(1.0, (1, 0)), (0.1, (0, 1))])
def test_answer_counts_when_its_reward_is_known(
    statistics: Statistics, reward: float, counted: tuple[int, int]
) -> None:
    """Whoever reports later is heard by the federation too, and by the same user."""
    heard = Heard()
    verdicts = Verdicts(Recording(statistics, pseudonyms=Pseudonyms()), heard)

    verdicts.answered(asked(), CANDIDATE, pb.Finished(reason=pb.FINISH_REASON_LENGTH))
    before = patterns(statistics)
    set_current_identity(Identity(Role.CLIENT, "bob", "a.example"))
    assert heard.tell is not None
    heard.tell(SEEN, reward)

    assert heard.views == [(True, True)]
    assert heard.models == [CANDIDATE.model]
    assert before == (0, 0)
    assert patterns(statistics) == counted


def test_failure_of_a_node_is_remembered_and_a_callers_mistake_is_not(
    statistics: Statistics,
) -> None:
    """A model that is asked nonsense did nothing wrong."""
    heard = Heard()
    verdicts = Verdicts(Recording(statistics, pseudonyms=Pseudonyms()), heard)

    verdicts.failed(asked(), CANDIDATE, FieldInvalid("no", field="x"))
    verdicts.failed(asked(), CANDIDATE, NodeLost("gone"))

    assert heard.views == [(False, False)]


def test_router_that_takes_no_reports_counts_at_once(statistics: Statistics) -> None:
    """As it saw the request itself."""
    verdicts = Verdicts(Recording(statistics, pseudonyms=Pseudonyms()), None)

    verdicts.answered(asked(), CANDIDATE, pb.Finished())
    verdicts.failed(asked(), CANDIDATE, NodeLost("gone"))

    assert patterns(statistics) == (1, 1)


def test_router_without_rounds_tells_nobody(statistics: Statistics) -> None:
    """Its callers may still report: its own choice learns from that."""
    heard = Heard()
    recording = Recording(statistics, pseudonyms=Pseudonyms(), learns=False)

    Verdicts(recording, heard).answered(asked(), CANDIDATE, pb.Finished())
    assert heard.tell is not None
    heard.tell(SEEN, 1.0)

    assert patterns(statistics) == (0, 0)
