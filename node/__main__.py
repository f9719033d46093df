"""Run a node: `python -m node --config PATH`."""

import os

# Set before transformers is imported: no model is ever fetched from a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from federated_router.kit.daemon import main
from node.app import build
from node.config import NodeSettings

if __name__ == "__main__":
    main("node", NodeSettings, build)
