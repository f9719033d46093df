"""Run a coordinator: `python -m coordinator --config PATH`."""

from coordinator.app import build
from coordinator.config import CoordinatorSettings
from federated_router.kit.daemon import main

if __name__ == "__main__":
    main("coordinator", CoordinatorSettings, build)
