"""Generated code of protos/federated_router/api; `make proto` writes it."""
