"""Run a router: `python -m federated_router --config PATH`."""

from federated_router.app import build
from federated_router.config import RouterSettings
from federated_router.kit.daemon import main

if __name__ == "__main__":
    main("router", RouterSettings, build)
