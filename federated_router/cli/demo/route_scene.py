"""The route before and after the round, and that the router follows it."""

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import routing_pb2
from federated_router.cli.demo.figures import claim
from federated_router.cli.demo.stage import CALL_TIMEOUT_S, LARGE, Stage
from federated_router.cli.route_text import candidate_table
from federated_router.cli.screen import say, table
from node.reference.corpus import public_questions


async def explain(stage: Stage) -> routing_pb2.ExplainRouteResponse:
    """Return and show the route of a public request for the large model."""
    response = await stage.explain(LARGE)
    say(f"priors revision {response.priors_revision}, strategy {response.strategy}:")
    table(*candidate_table(response.candidates), indent=3)
    say(f"chosen: {response.node}")
    return response


async def show_change(stage: Stage, before: routing_pb2.ExplainRouteResponse) -> None:
    """Show the route after the round, and send a request that must follow it."""
    after = await explain(stage)
    claim(
        that=after.node != before.node,
        otherwise=f"The route did not change: {before.node} before and after.",
    )
    generation = stage.public(LARGE, public_questions()[0])
    response = await stage.inference.Complete(
        pb.CompleteRequest(generation=generation), timeout=CALL_TIMEOUT_S
    )
    claim(
        that=response.started.node == after.node,
        otherwise=f"The router sent the request to {response.started.node}.",
    )
    say(f"the same request goes to {after.node} now, and {before.node} before.")
    stage.figures.add("requests.public")
    stage.figures.record("route.before", before.node)
    stage.figures.record("route.after", after.node)
