"""Contents of members, drawn by hypothesis."""

from typing import TypeVar

from hypothesis import strategies as st

from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    STEPS_MAX,
    BanditSums,
    CarbonSums,
    Cell,
    CellCounts,
    Contents,
    HoldoutSums,
    PatternCounts,
)

Key = TypeVar("Key")


def contents_over(
    catalogue: Catalogue, *, scale: int = 1
) -> st.SearchStrategy[Contents]:
    """Return contents of every key; with scale 1, all within the bounds of one member.

    Larger scales reach beyond the bounds, where clipping begins.
    """
    count = st.integers(0, catalogue.slot_max * scale)
    steps = st.integers(0, STEPS_MAX * catalogue.slot_max * scale)
    signed = st.integers(-catalogue.slot_max * scale, catalogue.slot_max * scale)
    cells = st.builds(
        CellCounts,
        st.tuples(*[count] * catalogue.buckets),
        count,
        tokens=steps,
        cost=steps,
        energy=steps,
    )
    return st.builds(
        Contents,
        performance=_each(catalogue.cells, cells),
        patterns=_each(catalogue.pattern_cells, st.builds(PatternCounts, count, count)),
        carbon=_each(catalogue.regions, st.builds(CarbonSums, count, steps)),
        bandits=_each(catalogue.models, _bandits(catalogue, count, signed)),
        holdout=st.builds(HoldoutSums, count, signed),
    )


def _each(
    keys: tuple[Key, ...], values: st.SearchStrategy[object]
) -> st.SearchStrategy[dict[Key, object]]:
    return st.fixed_dictionaries(dict.fromkeys(keys, values))


def _bandits(
    catalogue: Catalogue,
    diagonal: st.SearchStrategy[int],
    beside: st.SearchStrategy[int],
) -> st.SearchStrategy[BanditSums]:
    width = catalogue.features
    gram = [
        diagonal if i == j else beside for i in range(width) for j in range(i, width)
    ]
    return st.builds(BanditSums, st.tuples(*gram), st.tuples(*[beside] * width))


def cells_of(catalogue: Catalogue) -> st.SearchStrategy[Cell]:
    """Return any cell of a catalogue."""
    return st.sampled_from(catalogue.cells)
