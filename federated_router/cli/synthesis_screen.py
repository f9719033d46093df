"""What `synthesise` shows: estimate, progress, result, and the utility report.

Pure but for the progress bar and `show_utility`: figures come in, lines go out.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from federated_router.api.v1 import budget_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.cli.screen import facts, out, table
from federated_router.cli.synthesis_run import Outcome, Told
from federated_router.synthesis.utility import Memorisation, Utility

PRIVATE_REPORT = (
    "This report compares the texts with the private records. It is not covered by the "
    "guarantee: keep it with the records."
)
GO_ON = (
    "The job is kept, and nothing that was sampled is lost: the same command with "
    "--resume goes on with it."
)
Facts = list[tuple[str, str]]
OVERLAP_COLUMNS = ("words", "texts in records", "records in texts")
DISTINCT_COLUMNS = ("words", "distinct in texts", "distinct in records")


@contextmanager
def progress_bar(console: Console, *, batches: int) -> Iterator[Told]:
    """Show a bar that moves with every batch whose fate is known."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} batches"),
        TimeRemainingColumn(),
        console=console,
    ) as bars:
        bar = bars.add_task("sampling", total=batches)
        lost = 0

        def told(outcome: Outcome) -> None:
            nonlocal lost
            lost += outcome is not Outcome.SAMPLED
            said = f"sampling, {lost} without a text" if lost else "sampling"
            bars.update(bar, advance=1, description=said)

        yield told


def estimate_facts(price: budget_pb2.PriceEventResponse, *, records: int) -> Facts:
    """Return what a job will cost at most, and what is left then."""
    slots = price.parameters.slots
    batches = -(-records // slots)
    after = price.free_units - price.worst_case_units
    left = f"{after:,} units" if after >= 0 else f"lacks {-after:,} units"
    return [
        ("records", f"{records:,}, in {batches:,} batches of at most {slots}"),
        ("charged once", f"at most {price.worst_case_units:,} units"),
        ("epsilon", f"at most {price.worst_case_epsilon:.3f} for this job alone"),
        ("free then", f"{left}, of {price.free_units:,} now"),
    ]


def result_facts(job: pb.Synthesis, *, texts: int, output: str) -> Facts:
    """Return what a closed job cost."""
    missing = job.batches_count - job.batches_sampled
    return [
        ("texts", f"{texts:,} in {output}"),
        ("without a text", f"{missing:,} of {job.batches_count:,} batches"),
        ("charged once", f"{job.tokens_charged * job.token_charge_units:,} units"),
        ("epsilon", f"{job.epsilon_charged:.3f} at delta {job.delta:g}"),
    ]


def length_facts(utility: Utility) -> Facts:
    """Return how long texts and records are."""
    return [
        (
            label,
            (
                f"{one.mean:.1f} words a piece, median {one.median:g}, "
                f"from {one.least:,} to {one.most:,}"
            ),
        )
        for label, one in (
            (f"{utility.texts:,} texts", utility.text_lengths),
            (f"{utility.records:,} records", utility.record_lengths),
        )
    ]


def memorisation_lines(found: Memorisation) -> list[str]:
    """Return what the memorisation check says, and what that means."""
    lines = [
        (
            f"Of {found.records:,} records, {found.repeated:,} have a rare 8-gram in "
            "the text of their own batch. (Rare: no other record has it.)"
        )
    ]
    if found.allowed is None:
        return [*lines, "There is one text alone, and nothing to compare it with."]
    verdict = (
        "More than that: the texts repeat records, or batches are not alike."
        if found.is_exceeded
        else "Within the bound, which is no proof of the guarantee."
    )
    if found.allowed >= found.records:
        verdict = (
            "The bound says nothing here: too few batches, or too large an epsilon."
        )
    return [
        *lines,
        (
            f"In texts of other batches that happened {found.elsewhere:,} times in "
            f"{found.pairs:,} pairs; there a record has no influence."
        ),
        (
            f"With epsilon {found.epsilon:.3f} and delta {found.delta:g} the guarantee "
            f"allows {found.allowed:.1f}, but for one case in 1,000. {verdict}"
        ),
    ]


def show_utility(utility: Utility) -> None:
    """Print the report, and first that it is not covered by the guarantee."""
    out.print(f"\n{PRIVATE_REPORT}", style="bold", markup=False)
    facts(length_facts(utility))
    overlaps = [
        (one.words, one.texts_in_records, one.records_in_texts)
        for one in utility.overlaps
    ]
    table(OVERLAP_COLUMNS, overlaps, indent=2)
    distinct = [(one.words, one.texts, one.records) for one in utility.distinct]
    table(DISTINCT_COLUMNS, distinct, indent=2)
    for line in memorisation_lines(utility.memorisation):
        out.print(line, markup=False)
