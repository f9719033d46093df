"""Priors and catalogues as messages: half of `service`."""

from federated_router.api.v1 import priors_pb2
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.publication import Priors


def priors_message(priors: Priors) -> priors_pb2.Priors:
    """Return published priors, one entry per cell in slot order."""
    message = priors_pb2.Priors(
        revision=priors.revision,
        round=priors.round_name,
        catalogue=catalogue_message(priors.catalogue),
        members=priors.members,
        noise_standard_deviation=priors.noise_standard_deviation,
        performance=[
            priors_pb2.PerformancePrior(
                model=cell.model,
                region=cell.region,
                latency_counts=priors.performance[cell].latency_counts,
                failures=priors.performance[cell].failures,
            )
            for cell in priors.catalogue.cells
        ],
    )
    message.create_time.FromNanoseconds(round(priors.create_time_s * 1e9))
    return message


def catalogue_message(catalogue: Catalogue) -> priors_pb2.Catalogue:
    """Return the layout."""
    return priors_pb2.Catalogue(
        version=catalogue.version,
        models=catalogue.models,
        regions=catalogue.regions,
        latency_bounds_ms=catalogue.latency_bounds_ms,
        slot_max=catalogue.slot_max,
    )
