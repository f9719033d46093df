"""How much carbon a region's electricity carries, as the federation's requests met it.

Decides the mean and when noise hides it. Refuses to know where intensities come from.
Post-processing: it costs no privacy.
"""

from federated_router.priors.blocks import Block
from federated_router.priors.sums import Estimate, Sums, ratio


def read_carbon(sums: Sums, region: str) -> Estimate | None:
    """Return the mean carbon intensity at a region's requests, in g CO2e per kWh.

    None outside the catalogue, or where noise says nothing.
    """
    told = sums.contents.carbon.get(region)
    if told is None or Block.CARBON not in sums.catalogue.blocks:
        return None
    found = ratio(
        told.intensity,
        told.requests,
        over_noise=sums.noise_of("carbon_intensity"),
        under_noise=sums.noise_of("carbon_requests"),
    )
    unit = sums.catalogue.carbon_unit_g_per_kwh
    return None if found is None else found.times(unit)
