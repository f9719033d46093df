"""One round of Flower's SecAgg+: run by the peers' own Python, prints a line of JSON.

Flower's `SecAggPlusWorkflow` and `secaggplus_mod` as they are, in one process; messages
are handed over in memory, so that neither network nor serialisation nor TLS is counted.
Arguments: clients, values, shares of each secret, shares that reconstruct it.
"""

import copy
import json
import sys
import time
from collections.abc import Iterable, Mapping

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client import NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.compat.common import recorddict_compat
from flwr.server import LegacyContext, SimpleClientManager
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

RUN_ID = 1
SERVER_ID = 1
FIRST_CLIENT_ID = 2
ERROR_MAX = 1e-2
"""Its weights leave a quantisation step of a few thousandths in means of [-1, 1]."""

Vector = NDArray[np.float64]


class VectorClient(NumPyClient):  # type: ignore[misc]
    """A client whose training result is a vector that it was given."""

    def __init__(self, vector: Vector) -> None:
        self._vector = vector

    def fit(
        self, parameters: list[Vector], config: Mapping[str, object]
    ) -> tuple[list[Vector], int, dict[str, float]]:
        """Return the vector, as of one example."""
        del parameters, config
        return [self._vector], 1, {}


class InMemoryGrid:
    """Hands each message to its client app; notes the time that they take."""

    def __init__(self, vectors: Mapping[int, Vector]) -> None:
        self.client_s = 0.0
        self._apps = {
            node_id: (_client_app(vector), _context(node_id))
            for node_id, vector in vectors.items()
        }

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Return every client's reply."""
        del timeout
        begin_s = time.perf_counter()
        replies = [self._answer(message) for message in messages]
        self.client_s += time.perf_counter() - begin_s
        return replies

    def _answer(self, message: Message) -> Message:
        app, context = self._apps[message.metadata.dst_node_id]
        return app(_delivered(message), context)


def main(clients: int, values: int, shares: int, threshold: int) -> None:
    """Run a round and print what it took; raise RuntimeError for a wrong mean."""
    TaskIdentity.run_id = RUN_ID
    TaskIdentity.node_id = SERVER_ID
    TaskIdentity.task_id = RUN_ID
    draw = np.random.default_rng(1)
    vectors = {
        FIRST_CLIENT_ID + number: draw.uniform(-1, 1, values)
        for number in range(clients)
    }
    grid = InMemoryGrid(vectors)
    server = _server(grid, vectors, values)
    begin_s = time.perf_counter()
    SecAggPlusWorkflow(shares, threshold)(grid, server)
    seconds = time.perf_counter() - begin_s
    error = _error(server, vectors)
    if not error < ERROR_MAX:
        raise RuntimeError(f"The mean is wrong by {error}.")
    figures = {"seconds": seconds, "client_s": grid.client_s, "error": error}
    sys.stdout.write(json.dumps(figures) + "\n")


def _server(
    grid: InMemoryGrid, vectors: Mapping[int, Vector], values: int
) -> LegacyContext:
    """Return the server's state before a round: clients, strategy, parameters."""
    manager = SimpleClientManager()
    for node_id in vectors:
        manager.register(GridClientProxy(node_id, grid, RUN_ID))
    server = LegacyContext(
        context=_context(SERVER_ID),
        strategy=FedAvg(
            min_fit_clients=len(vectors), min_available_clients=len(vectors)
        ),
        client_manager=manager,
    )
    server.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord(
        {Key.CURRENT_ROUND: 1}
    )
    server.state.array_records[MAIN_PARAMS_RECORD] = (
        recorddict_compat.parameters_to_arrayrecord(
            ndarrays_to_parameters([np.zeros(values)]), keep_input=True
        )
    )
    return server


def _error(server: LegacyContext, vectors: Mapping[int, Vector]) -> float:
    """Return the largest error of the mean that the server holds."""
    found = recorddict_compat.arrayrecord_to_parameters(
        server.state.array_records[MAIN_PARAMS_RECORD], keep_input=True
    )
    mean = np.mean(list(vectors.values()), axis=0)
    return float(np.abs(parameters_to_ndarrays(found)[0] - mean).max())


def _delivered(message: Message) -> Message:
    """Return what a client receives: its own, for the mod alters what it reads."""
    received = copy.copy(message)
    received.content = RecordDict(
        {
            name: ConfigRecord(dict(record))
            if isinstance(record, ConfigRecord)
            else record
            for name, record in message.content.items()
        }
    )
    return received


def _client_app(vector: Vector) -> ClientApp:
    def client(context: Context) -> object:
        del context
        return VectorClient(vector).to_client()

    return ClientApp(client, mods=[secaggplus_mod])


def _context(node_id: int) -> Context:
    return Context(RUN_ID, node_id, {}, RecordDict(), {})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
