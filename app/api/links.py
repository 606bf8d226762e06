"""The links of the document: which operations take up what an answer has made, and where they find its id.

They follow from the route table and the models of answers, so that nobody has to write them.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from app.api.routing import Route, is_id

_NAME = re.compile(r"\{[a-z_]+\}")


def links_of(route: Route, model: type[BaseModel] | None, routes: Sequence[Route]) -> dict[str, Any]:
    """Return the links of an operation's answer of this model, by the names of the operations they lead to.

    What was made in a collection leads to what stands below it (`POST /v1/rules`, `PATCH /v1/rules/{id}`), or
    to where else the same model is shown (a redemption); an id of something else that was made leads to that
    (`journal_entry_id`); what was put under a name leads to what else there is under it.
    """
    if model is None or route.method not in ("POST", "PUT"):
        return {}
    found = {}
    for target in routes:
        if target.parameters and target is not route:
            parameters = _parameters(route, model, target, routes)
            if parameters is not None:
                found[target.operation_id] = {"operationId": target.operation_id, "parameters": parameters}
    return found


def _parameters(
    route: Route, model: type[BaseModel], target: Route, routes: Sequence[Route]
) -> dict[str, str] | None:
    """Return where each parameter of the target's path comes from, None where the answer does not tell."""
    path = dict(zip(target.parameters, (f"$request.path.{name}" for name in route.parameters), strict=False))
    if route.method == "PUT":
        return path if route.pattern == target.pattern else None
    last = target.parameters[-1]
    collection = target.pattern.rpartition("/{" + last + "}")[0]
    if _NAME.sub("{}", collection) == _NAME.sub("{}", route.pattern):
        source = _source(route, model, last)
        return None if source is None else {**path, last: source}
    if len(target.parameters) > 1 or not is_id(last):
        return None
    if "id" in model.model_fields and _shown_in(collection, last, routes) is model:
        return {last: "$response.body#/id"}
    above = collection.rpartition("/")[2]
    field = f"{re.sub('ies$', 'y', above).removesuffix('s').replace('-', '_')}_id"
    return {last: f"$response.body#/{field}"} if _is_made(route, model, field, above) else None


def _is_made(route: Route, model: type[BaseModel], field: str, above: str) -> bool:
    """Say whether an id in the answer is news: always there, and nothing that the request named."""
    named = [given.model_fields for given in (route.body, route.query) if given is not None]
    return (
        field in model.model_fields and model.model_fields[field].is_required()
        and above not in route.pattern.split("/") and not any(field in fields for fields in named)
    )


def _source(route: Route, model: type[BaseModel], name: str) -> str | None:
    """Return where the name of a new member of a collection stands."""
    if is_id(name) and "id" in model.model_fields:
        return "$response.body#/id"
    if name in model.model_fields:
        return f"$response.body#/{name}"
    return f"$request.body#/{name}" if route.body is not None and name in route.body.model_fields else None


def _shown_in(collection: str, name: str, routes: Sequence[Route]) -> type[BaseModel] | None:
    """Return the model in which a member of a collection is shown."""
    pattern = f"{collection}/{{{name}}}"
    shown = (each.responses[200] for each in routes if (each.method, each.pattern) == ("GET", pattern))
    return next(shown, None)
