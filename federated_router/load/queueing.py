"""Waiting times of a queue with several servers: M/M/c. Pure.

Erlang C (A. K. Erlang, 1917; in W. J. Stewart, Probability, Markov Chains, Queues, and
Simulation, 2009, 11.4). Arrivals are Poisson, service times exponential, one queue for
all slots: real requests are less regular, so this is a measure and not a promise.
"""

import math


def erlang_c(slots: int, offered: float) -> float:
    """Return the probability that a request finds all `slots` busy.

    `offered` is arrivals times service time, in slots; at `slots` or more the queue
    grows without end and the probability is 1. By the recursion of Erlang B, which
    neither over- nor underflows.
    """
    if offered >= slots:
        return 1.0
    if offered <= 0.0:
        return 0.0
    blocked = 1.0
    for busy in range(1, slots + 1):
        blocked = _blocked(busy, offered, blocked)
    return _waiting(slots, offered, blocked)


def wait_s(slots: int, *, arrivals_per_s: float, service_s: float) -> float:
    """Return the mean time in the queue, in seconds; infinite where it grows."""
    offered = arrivals_per_s * service_s
    if offered <= 0.0:
        return 0.0
    if offered >= slots:
        return math.inf
    return _wait_s(slots, offered, erlang_c(slots, offered), service_s)


def slots_needed(
    *,
    arrivals_per_s: float,
    service_s: float,
    wait_s_max: float,
    utilisation_max: float,
    slots_max: int,
) -> int:
    """Return the fewest slots that keep both bounds; at most `slots_max`.

    One pass upwards: it takes as long as the answer is large, whatever `slots_max`.
    """
    offered = arrivals_per_s * service_s
    if offered <= 0.0:
        return 0
    least, blocked = math.ceil(offered / utilisation_max), 1.0
    if least >= slots_max:
        return slots_max
    for slots in range(1, slots_max):
        blocked = _blocked(slots, offered, blocked)
        if slots >= least and slots > offered:
            waiting = _waiting(slots, offered, blocked)
            if _wait_s(slots, offered, waiting, service_s) <= wait_s_max:
                return slots
    return slots_max


def _wait_s(slots: int, offered: float, waiting: float, service_s: float) -> float:
    """Return the mean time in the queue, given Erlang C; `offered` is below `slots`."""
    return waiting * service_s / (slots - offered)


def _blocked(slots: int, offered: float, before: float) -> float:
    """Return Erlang B for so many slots, given that for one slot less."""
    return offered * before / (slots + offered * before)


def _waiting(slots: int, offered: float, blocked: float) -> float:
    """Return Erlang C, given Erlang B."""
    return blocked / (1.0 - (offered / slots) * (1.0 - blocked))
