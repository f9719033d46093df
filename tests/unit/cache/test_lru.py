"""Whatever happens, no limit in bytes is ever exceeded, and no tenant evicts another's.

The model is a list in order of use; the structure under test must agree with it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.cache.entries import Place
from federated_router.cache.lru import ByteLru, Slot

BYTES_MAX = 100
SHARE = 0.5
PLACES = st.builds(
    lambda number, tenant: Place(
        digest=bytes((tenant, number)), tenant=bytes((tenant,))
    ),
    st.integers(0, 5),
    st.integers(0, 2),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PLACES, st.integers(1, 50), st.integers(1, 9)),
        st.tuples(st.just("use"), PLACES, st.just(0), st.just(0)),
        st.tuples(st.just("drop"), PLACES, st.just(0), st.just(0)),
        st.tuples(st.just("expire"), PLACES, st.just(0), st.integers(1, 9)),
    ),
    max_size=60,
)


class _Model:
    """The same, slowly and plainly."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []

    def put(self, slot: Slot) -> tuple[bytes, ...]:
        self.drop(slot.place.digest)
        gone = []
        while self.bytes_of(slot.place.tenant) + slot.size_bytes > BYTES_MAX * SHARE:
            gone.append(self._first(slot.place.tenant))
        while self.bytes_of(None) + slot.size_bytes > BYTES_MAX:
            gone.append(self._first(None))
        self.slots.append(slot)
        return tuple(gone)

    def use(self, place: Place) -> Slot | None:
        found = [one for one in self.slots if one.place == place]
        for one in found:
            self.slots.remove(one)
            self.slots.append(one)
        return found[0] if found else None

    def drop(self, digest: bytes) -> None:
        self.slots = [one for one in self.slots if one.place.digest != digest]

    def expire(self, now_s: float) -> set[bytes]:
        gone = {one.place.digest for one in self.slots if one.expires_time_s <= now_s}
        self.slots = [one for one in self.slots if one.place.digest not in gone]
        return gone

    def bytes_of(self, tenant: bytes | None) -> int:
        return sum(
            one.size_bytes
            for one in self.slots
            if tenant is None or one.place.tenant == tenant
        )

    def _first(self, tenant: bytes | None) -> bytes:
        first = next(
            one for one in self.slots if tenant is None or one.place.tenant == tenant
        )
        self.slots.remove(first)
        return first.place.digest


@given(STEPS)
def test_any_steps_keep_the_limits_and_the_order_of_use(
    steps: list[tuple[str, Place, int, int]],
) -> None:
    """After each step: bytes in all and by tenant as the model's, within the limits."""
    lru, model = ByteLru(bytes_max=BYTES_MAX, tenant_share_max=SHARE), _Model()
    for what, place, size, time_s in steps:
        slot = Slot(place, size, time_s)
        match what:
            case "put":
                assert lru.put(slot) == model.put(slot)
            case "use":
                assert lru.use(place) == model.use(place)
            case "drop":
                lru.drop(place.digest)
                model.drop(place.digest)
            case _:
                assert set(lru.expire(time_s)) == model.expire(time_s)
        assert lru.bytes_held == model.bytes_of(None) <= BYTES_MAX
        assert lru.tenant_bytes(place.tenant) == model.bytes_of(place.tenant)
        assert lru.tenant_bytes(place.tenant) <= BYTES_MAX * SHARE
        assert len(lru) == len(model.slots)


def test_a_tenant_at_its_limit_loses_its_own_entries_alone() -> None:
    """One that asks much must not empty the cache of those who ask little."""
    lru = ByteLru(bytes_max=100, tenant_share_max=0.5)
    quiet = Slot(Place(b"q", b"quiet"), 10, 9.0)
    lru.put(quiet)
    for number in range(20):
        lru.put(Slot(Place(bytes((number,)), b"busy"), 10, 9.0))
    assert lru.use(quiet.place) == quiet
    assert lru.tenant_bytes(b"busy") == 50


def test_what_is_larger_than_a_tenants_share_is_refused() -> None:
    """It could only be kept by breaking the limit."""
    lru = ByteLru(bytes_max=100, tenant_share_max=0.5)
    assert lru.fits(50)
    assert not lru.fits(51)
    with pytest.raises(ValueError, match="does not fit"):
        lru.put(Slot(Place(b"a", b"t"), 51, 9.0))
    assert lru.bytes_held == 0


def test_an_entry_is_found_only_by_its_own_tenant() -> None:
    """A digest alone, from another tenant's request, must find nothing."""
    lru = ByteLru(bytes_max=100, tenant_share_max=1.0)
    lru.put(Slot(Place(b"a", b"mine"), 10, 9.0))
    assert lru.use(Place(b"a", b"yours")) is None


def test_ends_of_replaced_entries_do_not_pile_up() -> None:
    """One entry that is written again and again must not cost memory each time."""
    lru = ByteLru(bytes_max=100, tenant_share_max=1.0)
    for number in range(10_000):
        lru.put(Slot(Place(b"a", b"t"), 10, float(number)))
    assert len(lru._ends) < 100
    assert lru.expire(9_998.0) == ()
    assert lru.expire(9_999.0) == (b"a",)
