"""Which priors a watcher gets next.

Decides revisions: each publication is one more than the last, and a watcher gets the
newest that it has not seen, never a backlog. Pure; `Newest` does the waking.
"""

from federated_router.priors.publication import Priors


def next_revision(newest: int) -> int:
    """Return the revision that follows `newest`; 0 is none."""
    return newest + 1


def unseen(newest: Priors | None, *, after_revision: int) -> Priors | None:
    """Return the newest priors if the watcher has not seen it, else None.

    A watcher that claims to have seen more than there is (the coordinator's store was
    restored from a backup) gets what there is.
    """
    if newest is None or newest.revision == after_revision:
        return None
    return newest
