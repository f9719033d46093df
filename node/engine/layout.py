"""Which parts of a loaded model lie where, and how much memory they take.

Decides how a device map is told to people: consecutive layers on one device as one
range. Refuses to know how the map was made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from node.engine.facts import ModelPart


@dataclass(frozen=True, slots=True)
class _Unit:
    """A module that lies on one device; `number` where it is one of a list."""

    parent: str
    number: int | None
    device: str
    weight_bytes: int


def model_parts(
    model: torch.nn.Module, layout: Mapping[str, str | int]
) -> tuple[ModelPart, ...]:
    """Return the model's parts in their order.

    `layout` is accelerate's map from module names to devices; "" is the whole model. A
    weight that two modules share is counted with the first. Modules without weights,
    such as rotary embeddings, are no parts.
    """
    seen: set[int] = set()
    units = list(_units(model, "", {str(k): str(v) for k, v in layout.items()}, seen))
    return tuple(_merged(units))


def tensor_bytes(tensor: torch.Tensor) -> int:
    """Return the memory of a tensor's elements, of a quantised one's parts."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None or type(tensor) in (torch.Tensor, torch.nn.Parameter):
        return tensor.numel() * tensor.element_size()
    names, _ = flatten()
    return sum(tensor_bytes(getattr(tensor, name)) for name in names)


def _units(
    module: torch.nn.Module, name: str, layout: Mapping[str, str], seen: set[int]
) -> Iterator[_Unit]:
    """Yield the modules below `module`, each with the device that it lies on whole."""
    for key, child in module.named_children():
        path = f"{name}.{key}" if name else key
        device = _device(path, layout)
        holds_list = any(
            isinstance(one, torch.nn.ModuleList) for one in child.children()
        )
        if isinstance(child, torch.nn.ModuleList) or holds_list or device is None:
            yield from _units(child, path, layout, seen)
            continue
        if any(True for _ in child.parameters()):
            listed = isinstance(module, torch.nn.ModuleList)
            yield _Unit(
                parent=name if listed else path,
                number=int(key) if listed else None,
                device=device,
                weight_bytes=_weight_bytes(child, seen),
            )


def _device(path: str, layout: Mapping[str, str]) -> str | None:
    """Return where the module lies; None where its parts lie on several devices."""
    if any(key.startswith(f"{path}.") for key in layout):
        return None
    parts = path.split(".")
    for length in range(len(parts), -1, -1):
        found = layout.get(".".join(parts[:length]))
        if found is not None:
            return f"cuda:{found}" if found.isdecimal() else found
    return None


def _weight_bytes(module: torch.nn.Module, seen: set[int]) -> int:
    total = 0
    for tensor in module.parameters():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            total += tensor_bytes(tensor)
    return total


def _merged(units: Sequence[_Unit]) -> Iterator[ModelPart]:
    """Yield neighbours of one list on one device as one part."""
    run: list[_Unit] = []
    for unit in units:
        if run and not _continues(run[-1], unit):
            yield _part(run)
            run = []
        run.append(unit)
    if run:
        yield _part(run)


def _continues(last: _Unit, unit: _Unit) -> bool:
    return (
        last.number is not None
        and unit.number == last.number + 1
        and (unit.parent, unit.device) == (last.parent, last.device)
    )


def _part(run: Sequence[_Unit]) -> ModelPart:
    first, last = run[0], run[-1]
    numbers = "" if first.number is None else f".{first.number}"
    if len(run) > 1:
        numbers += f"-{last.number}"
    return ModelPart(
        modules=first.parent + numbers,
        device=first.device,
        weight_bytes=sum(unit.weight_bytes for unit in run),
    )
