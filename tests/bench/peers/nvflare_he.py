"""The homomorphic path of NVFlare: run by the peers' own Python, prints JSON.

NVFlare's own `HEModelEncryptor` at each client, `HEInTimeAccumulateWeightedAggregator`
at the server and `HEModelDecryptor` at one client, with the keys of its `HEBuilder`;
between them vectors are serialised as its FOBS decomposer does, but for the context,
which it would send along each time. One process: neither network nor TLS is counted,
and of all clients, which each decrypt, only one. Arguments: clients, values.
"""

import json
import sys
import time
from collections.abc import Mapping

import numpy as np
import tenseal
from numpy.typing import NDArray
from nvflare.apis.dxo import DXO, DataKind, MetaKey, from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_opt.he.intime_accumulate_model_aggregator import (
    HEInTimeAccumulateWeightedAggregator,
)
from nvflare.app_opt.he.model_decryptor import HEModelDecryptor
from nvflare.app_opt.he.model_encryptor import HEModelEncryptor
from nvflare.lighter.impl.he import HEBuilder

LAYER = "values"
ROUND = 1
ERROR_MAX = 1e-4
Vector = NDArray[np.float64]


def main(clients: int, values: int) -> None:
    """Run a round and print what it took; raise RuntimeError for a wrong mean."""
    client_keys, server_keys = _keys()
    draw = np.random.default_rng(1)
    vectors = [draw.uniform(-1, 1, values) for _ in range(clients)]
    begin_s = time.perf_counter()
    sent = [
        _encrypted(vector, number, client_keys) for number, vector in enumerate(vectors)
    ]
    encrypted_s = time.perf_counter()
    summed = _summed(sent, server_keys)
    summed_s = time.perf_counter()
    mean = _decrypted(summed, client_keys)
    ended_s = time.perf_counter()
    error = float(np.abs(mean - np.mean(vectors, axis=0)).max())
    if not error < ERROR_MAX:
        raise RuntimeError(f"The mean is wrong by {error}.")
    figures = {
        "seconds": ended_s - begin_s,
        "encrypt_s": encrypted_s - begin_s,
        "sum_s": summed_s - encrypted_s,
        "decrypt_s": ended_s - summed_s,
        "bytes": len(sent[0]),
        "error": error,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def _keys() -> tuple[tenseal.Context, tenseal.Context]:
    """Return the contexts that provisioning writes for every client and the server."""
    builder = HEBuilder()
    builder.initialize(project=None, ctx=None)
    client = tenseal.context_from(builder.get_serialized_context(is_client=True))
    return client, tenseal.context_from(builder.get_serialized_context())


def _encrypted(vector: Vector, number: int, keys: tenseal.Context) -> bytes:
    encryptor = HEModelEncryptor(weigh_by_local_iter=False)
    encryptor.tenseal_context, encryptor.encrypt_layers = keys, [True]
    update = _update({LAYER: vector})
    found = encryptor.process_dxo(update, Shareable(), _context(f"site-{number}"))
    return bytes(found.data[LAYER].serialize())


def _summed(sent: list[bytes], keys: tenseal.Context) -> DXO:
    """Return the aggregated mean as the server sends it back, its vector serialised."""
    server = _context("server")
    aggregator = HEInTimeAccumulateWeightedAggregator(weigh_by_local_iter=False)
    aggregator.handle_event(EventType.START_RUN, server)
    for number, content in enumerate(sent):
        vector = tenseal.ckks_vector_from(keys, content)
        update = _update({LAYER: vector})
        update.set_meta_prop(MetaKey.PROCESSED_KEYS, {LAYER: True})
        update.set_meta_prop(MetaKey.PROCESSED_ALGORITHM, "CKKS")
        shareable = update.to_shareable()
        shareable.set_peer_props({ReservedKey.IDENTITY_NAME: f"site-{number}"})
        shareable.add_cookie(AppConstants.CONTRIBUTION_ROUND, ROUND)
        if not aggregator.accept(shareable, server):
            raise RuntimeError("A contribution was not accepted.")
    found = from_shareable(aggregator.aggregate(server))
    found.data[LAYER] = found.data[LAYER].serialize()
    return found


def _decrypted(summed: DXO, keys: tenseal.Context) -> Vector:
    decryptor = HEModelDecryptor()
    decryptor.tenseal_context = keys
    found = decryptor.process_dxo(summed, Shareable(), _context("site-0"))
    return np.array(found.data[LAYER])


def _update(data: Mapping[str, object]) -> DXO:
    meta = {MetaKey.NUM_STEPS_CURRENT_ROUND: 1}
    return DXO(data_kind=DataKind.WEIGHT_DIFF, data=dict(data), meta=meta)


def _context(name: str) -> FLContext:
    """Return the context of a task: who is here, who is there, which round."""
    context, peer = FLContext(), FLContext()
    for one in (context, peer):
        one.set_prop(ReservedKey.IDENTITY_NAME, name, private=False, sticky=False)
    context.set_prop(AppConstants.CURRENT_ROUND, ROUND, private=True, sticky=False)
    context.set_peer_context(peer)
    return context


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
