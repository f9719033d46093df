"""What `synthesise` remembers beside its output, so that a killed one goes on.

Decides that the job's name is on disk before the router hears it, and that a job goes
on with the very records it began with. Texts and charges are the router's to remember.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from federated_router.budget.audit.files import whole_file
from federated_router.kit.errors import FieldInvalid

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Memory:
    """A job's id at the router, and a digest of the file that it reads.

    The digest is of private records: it stays beside them and is sent nowhere.
    """

    job: str
    input_sha256: str


def memory_path(output: Path) -> Path:
    """Return where the memory of the job that writes `output` lies."""
    return output.with_name(f"{output.name}.job")


def remember(output: Path, *, input_sha256: str) -> Memory:
    """Write down a new job; raise FieldInvalid where one is under way."""
    path = memory_path(output)
    if path.exists():
        raise FieldInvalid(
            f"{path} tells of a job under way. Go on with it (--resume), or name "
            "another output.",
            field="output",
        )
    memory = Memory(f"synthesis-{secrets.token_hex(8)}", input_sha256)
    with whole_file(path, mode=_OWNER_ONLY) as file:
        file.write(json.dumps(asdict(memory)).encode() + b"\n")
    return memory


def recall(output: Path, *, input_sha256: str) -> Memory:
    """Return the job that writes `output`.

    Raises FieldInvalid where there is none, or where the records have changed: they
    would be in other batches than before.
    """
    path = memory_path(output)
    try:
        memory = Memory(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FieldInvalid(
            f"{path} is missing: there is no job to go on with.", field="output"
        ) from None
    except (OSError, TypeError, ValueError) as error:
        raise FieldInvalid(f"{path} is not a job's memory.", field="output") from error
    if memory.input_sha256 != input_sha256:
        raise FieldInvalid(
            "The input is not the file with which this job began; its records would "
            "be in other batches.",
            field="input",
        )
    return memory


def forget(output: Path) -> None:
    """Forget a job that is done, or that was never opened."""
    memory_path(output).unlink(missing_ok=True)
