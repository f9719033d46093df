"""One shard in a process of its own: `python -m tests.bench.shard_process ...`.

Prints one line of JSON, its address and its offer, once it serves.
"""

import asyncio
import json
import sys
from pathlib import Path

import torch
from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import shards_pb2
from federated_router.kit import log
from federated_router.kit.clock import SystemClock
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.grpc_server import Health, ServiceBinding, build_server
from node.shards.layers import LayerRange
from node.shards.sequences import ShardLimits
from node.shards.service import ShardServicer, offer_of
from node.shards.shard_engine import ShardEngine, ShardSource

_SHARDS = shards_pb2.DESCRIPTOR.services_by_name["ShardService"]


async def serve(
    tls: TlsSettings, domain: str, source: ShardSource, limits: ShardLimits
) -> None:
    """Serve until the process is ended."""
    engine = ShardEngine(source, limits)
    await engine.start()
    servicer = ShardServicer({source.model: engine}, SystemClock())
    bound = build_server(
        settings=ServerSettings(),
        tls=tls,
        trust_domain=domain,
        bindings=[ServiceBinding(_SHARDS, servicer)],
        health_state=Health([_SHARDS.full_name]),
    )
    await bound.server.start()
    said = {"address": bound.address, "offer": MessageToDict(offer_of(engine))}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await bound.server.wait_for_termination()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    log.configure(level="warning", form="text", daemon="shard")
    torch.set_num_threads(1)
    asyncio.run(
        serve(
            TlsSettings.model_validate(given["tls"]),
            given["domain"],
            ShardSource(
                given["model"],
                Path(given["directory"]),
                LayerRange(*given["layers"]),
                "auto",
                1,
            ),
            ShardLimits(
                slots=4,
                context_tokens_max=given["context_tokens"],
                frame_tokens_max=128,
                sequence_frames_max=4,
                sequence_idle_s=60.0,
            ),
        )
    )
