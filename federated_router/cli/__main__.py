"""Run the command as `python -m federated_router.cli`."""

from federated_router.cli.main import main

if __name__ == "__main__":
    main()
