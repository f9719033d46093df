"""What the federation's priors say of carbon, as far as noise lets it be known. Pure.

Decides which estimates are good enough to reckon with. Post-processing of what was
published: it costs no privacy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from federated_router.priors.carbon import read_carbon
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.sums import Sums

RELATIVE_ERROR_MAX: Final = 0.25
"""Of an estimate's standard error; a wider one would order regions by noise."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Sums whose contents are taken apart once for all regions."""

    sums: Sums
    contents: Contents

    @property
    def catalogue(self) -> Catalogue:
        """Return the layout."""
        return self.sums.catalogue

    def noise_of(self, quantity: str) -> float:
        """Return the noise's standard deviation on each number of a quantity."""
        return self.sums.noise_of(quantity)


def believed_intensities(sums: Sums) -> Mapping[str, float]:
    """Return grams of CO2 equivalent per kWh of the regions that are known."""
    read = _Read(sums, sums.contents)
    told = {region: read_carbon(read, region) for region in read.contents.carbon}
    return {
        region: found.value
        for region, found in told.items()
        if found is not None
        and found.value > 0
        and found.standard_error <= RELATIVE_ERROR_MAX * found.value
    }
