"""A sick cluster is not hammered: retries are a share of requests, and a few more."""

from hypothesis import given
from hypothesis import strategies as st

from federated_router.proxy.retry_budget import RetryBudget, RetryBudgetSettings


def made(budget: RetryBudget, now_s: float, tries: int) -> int:
    """Return how many of so many retries may be made at one moment."""
    return sum(budget.take(now_s) for _ in range(tries))


def test_share_of_requests_may_be_retried() -> None:
    """A fifth of a thousand, where no time passes and little is saved."""
    settings = RetryBudgetSettings(share=0.2, per_second=0, saved_max=1)
    budget, retried = RetryBudget(settings, 0.0), 0
    for _ in range(1000):
        budget.request_came()
        retried += budget.take(0.0)

    assert 199 <= retried <= 201


def test_quiet_router_may_retry_too() -> None:
    """Time alone earns retries, so that the first request of the day has some."""
    settings = RetryBudgetSettings(share=0, per_second=2, saved_max=5)
    budget = RetryBudget(settings, 0.0)
    made(budget, 0.0, 100)

    assert made(budget, 1.0, 100) == 2
    assert made(budget, 1000.0, 100) == 5


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=200),
    st.floats(0, 1),
    st.floats(0, 5),
)
def test_no_more_is_ever_retried_than_was_earned(
    events: list[tuple[bool, float]], share: float, per_second: float
) -> None:
    """Whatever comes in whatever order: share, time and what was saved bound it."""
    settings = RetryBudgetSettings(share=share, per_second=per_second, saved_max=10)
    budget, now_s, requests, retried = RetryBudget(settings, 0.0), 0.0, 0, 0
    for came, pause_s in events:
        now_s += pause_s
        if came:
            budget.request_came()
            requests += 1
        else:
            retried += budget.take(now_s)

    assert retried <= 10 + share * requests + per_second * now_s + 1e-6
