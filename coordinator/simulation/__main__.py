"""Run a simulation: `python -m coordinator.simulation --help`."""

from coordinator.simulation.command import app

if __name__ == "__main__":
    app(prog_name="federated-router simulate")
