"""Which evaluations there are. Each is a module with `evaluate(sheet, folder, data)`.

`data` is the directory of real inputs that the caller names; none is in this project.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.bench.figures import Sheet

Evaluate = Callable[[Sheet, Path, Path], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation's name, what it tells, its module, and the files that it reads."""

    name: str
    tells: str
    module: str
    files: tuple[str, ...]

    def missing(self, data: Path) -> list[str]:
        """Return the files that are not in `data`."""
        return [one for one in self.files if not (data / one).is_file()]

    def run(self, sheet: Sheet, folder: Path, data: Path) -> None:
        """Evaluate into `sheet`; plots and tables go to `folder`."""
        evaluate: Evaluate = import_module(self.module).evaluate
        evaluate(sheet, folder, data)


EVALUATIONS: dict[str, Evaluation] = {
    one.name: one
    for one in (
        Evaluation(
            "placement",
            "Every strategy on a trace of conversations, under a virtual clock.",
            "tests.evaluate.placement",
            ("load/mooncake_conversation_trace.jsonl.gz",),
        ),
        Evaluation(
            "choice",
            "Choosing between two models by what their outcomes were.",
            "tests.evaluate.choice",
            ("routing/routellm_mmlu_outcomes.jsonl.gz",),
        ),
        Evaluation(
            "choice-settings",
            "Picking the chooser's settings on questions that no figure is tested on.",
            "tests.evaluate.picking",
            ("routing/routellm_mmlu_outcomes.jsonl.gz",),
        ),
        Evaluation(
            "federation",
            "What members gain by sharing outcomes in encrypted, noised rounds.",
            "tests.evaluate.federation",
            ("routing/routellm_mmlu_outcomes.jsonl.gz",),
        ),
        Evaluation(
            "carbon",
            "Carbon and cost saved at equal quality, by choosing and by placing.",
            "tests.evaluate.carbon",
            (
                "routing/routellm_mmlu_outcomes.jsonl.gz",
                "carbon/gcp_region_carbon_2024.csv",
            ),
        ),
        Evaluation(
            "personal-data",
            "How much personal data the detector finds, and how much it makes up.",
            "tests.evaluate.personal_data",
            ("pii/presidio_generated_large.json.gz",),
        ),
        Evaluation(
            "azure",
            "The Azure trace against running nodes, some of which are killed.",
            "tests.evaluate.azure",
            ("load/AzureLLMInferenceTrace_conv.csv.gz",),
        ),
    )
}
