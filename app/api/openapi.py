"""The OpenAPI 3.1 document, made from the route table and the models that validate requests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from app.api.errors import InternalError, Unavailable, status_of
from app.api.fields import PLAIN_PATTERN, TEXT_PATTERN
from app.api.links import links_of
from app.api.models.webhook_messages import DATA, ENVELOPES
from app.api.routing import ROUTES, Reply, Request, Route, is_id, route
from app.api.samples import sample
from app.domain.errors import (
    DomainError,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    TooManyRequests,
    Unauthorized,
    ValidationError,
)
from app.domain.json import dumps

VERSION = "1.0.0"
REFERENCE = "#/components/schemas/{model}"
JSON_TYPE = "application/json"
CSV_TYPE = "text/csv"
DESCRIPTION = """\
Florin is a self-hosted engine for loyalty, rewards and incentives.

Authenticate with `Authorization: Bearer sk_…` or `X-API-Key: sk_…`. Amounts are strings that hold decimals,
timestamps are RFC 3339, ids are UUIDs. Lists are paged: pass `pagination.next_cursor` as `cursor` with the
same filters. Every response carries `X-Request-Id` and the three `X-RateLimit-*` headers. Operations with an
`idempotency_key` may be repeated: the same key and payload return the first answer with
`Idempotency-Replayed: true`, another payload is a 409.
"""
_HEADERS = {
    "X-Request-Id": ("string", "The request's id, as the logs know it."),
    "X-RateLimit-Limit": ("integer", "The most requests at once."),
    "X-RateLimit-Remaining": ("integer", "Requests that may be sent now."),
    "X-RateLimit-Reset": ("integer", "When the limit is full again, in Unix seconds."),
}
_ERROR = {
    "type": "object", "required": ["code", "message", "request_id"],
    "description": "Why a request was refused.",
    "properties": {
        "code": {"type": "string", "description": "A fixed word for programs.", "examples": ["not_found"]},
        "message": {"type": "string", "description": "A sentence for people."},
        "details": {
            "type": "object", "additionalProperties": {"type": "string"},
            "description": "What is wrong with each field, by its path, such as `actions[0].asset_id`.",
        },
        "request_id": {"type": "string"},
    },
}


def document(routes: Iterable[Route] = ROUTES) -> dict[str, Any]:
    """Return the document of the routes."""
    table = sorted(routes, key=lambda each: (each.tag, each.pattern, each.method))
    names, schemas = _schemas(table)
    shown = {name: schema for name, schema in schemas.items() if name not in _only_queries(table, names)}
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in table:
        operation = _operation(each, names, schemas)
        for status, model in each.responses.items():
            if links := links_of(each, model, table):
                operation["responses"][str(status)]["links"] = links
        paths[each.pattern][each.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Florin", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "tags": [{"name": name} for name in sorted({each.tag for each in table})],
        "paths": dict(paths),
        "webhooks": _webhooks(names, schemas),
        "components": {
            "schemas": {**shown, "Error": _ERROR},
            "headers": {
                name: {"description": text, "schema": {"type": kind}}
                for name, (kind, text) in _HEADERS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `sk_…`."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[dict[type[BaseModel], str], dict[str, Any]]:
    models: dict[type[BaseModel], None] = {}
    for each in routes:
        for model in (each.body, each.query, *each.responses.values()):
            if model is not None:
                models[model] = None
    models |= dict.fromkeys(ENVELOPES.values())
    keyed, made = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
    names = {model: keyed[model, "validation"]["$ref"].rsplit("/", 1)[-1] for model in models}
    return names, made.get("$defs", {})


def _webhooks(names: Mapping[type[BaseModel], str], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the messages that receivers get, by type."""
    made = {}
    for kind, model in ENVELOPES.items():
        schema = _reference(names[model])
        made[str(kind)] = {"post": {
            "operationId": names[model], "summary": DATA[kind][1], "tags": ["Webhooks"],
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": text,
                 "schema": {"type": "string"}}
                for name, text in _WEBHOOK_HEADERS.items()
            ],
            "requestBody": {"required": True, "content": {
                JSON_TYPE: {"schema": schema, "example": sample(schema, schemas)}
            }},
            "responses": {"2XX": {"description": "Taken. Anything else is tried again, 410 never."}},
        }}
    return made


_WEBHOOK_HEADERS = {
    "webhook-id": "The message's id, the same at every attempt: for recognising what is known.",
    "webhook-timestamp": "When this attempt was signed, in Unix seconds.",
    "webhook-signature": "`v1,` and base64 HMAC-SHA256 of `id.timestamp.body`; several during a rotation.",
}


def _only_queries(routes: Iterable[Route], names: Mapping[type[BaseModel], str]) -> set[str]:
    """Return the models whose fields appear as parameters and nowhere else."""
    return {names[each.query] for each in routes if each.query is not None}


def _operation(each: Route, names: Mapping[type[BaseModel], str], schemas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": each.operation_id, "summary": each.summary, "description": each.description,
        "tags": [each.tag], "parameters": [*_path(each), *_query(each, names, schemas), *_header(each)],
        "responses": {
            str(status): _success(each, status, model, names, schemas)
            for status, model in each.responses.items()
        },
    }
    if not made["parameters"]:
        del made["parameters"]
    if each.body is not None:
        content: dict[str, Any] = {"schema": _reference(names[each.body])}
        content["example"] = each.example or sample(content["schema"], schemas)
        made["requestBody"] = {"required": not each.body_optional, "content": {JSON_TYPE: content}}
    elif each.content_types != (JSON_TYPE,):
        text = {"schema": {"type": "string"}}
        made["requestBody"] = {"required": True, "content": dict.fromkeys(each.content_types, text)}
    if each.public:
        made["security"] = []
    made["responses"] |= _errors(each)
    return made


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}


def _path(each: Route) -> list[dict[str, Any]]:
    found = []
    for name in each.parameters:
        if is_id(name):
            schema: dict[str, Any] = {"type": "string", "format": "uuid"}
        else:
            schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": PLAIN_PATTERN}
        found.append({
            "name": name, "in": "path", "required": True, "schema": schema,
            "description": _PARAMETERS.get(name, f"The id of the {name.removesuffix('_id')}."),
        })
    return found


_PARAMETERS = {
    "id": "The id of the resource.", "tag": "The tag, in any case.", "key": "The key.",
}


def _query(
    each: Route, names: Mapping[type[BaseModel], str], schemas: dict[str, Any]
) -> list[dict[str, Any]]:
    if each.query is None:
        return []
    schema = schemas[names[each.query]]
    found = []
    for name, about in schema.get("properties", {}).items():
        about = _without_null(about)
        parameter = {
            "name": name, "in": "query", "required": name in schema.get("required", ()),
            "description": about.pop("description", name.replace("_", " ").capitalize() + "."),
        }
        about.pop("title", None)
        if about.get("type") == "string" and not {"pattern", "format", "enum", "const"} & about.keys():
            about["pattern"] = TEXT_PATTERN  # No parameter takes NUL, see app/api/serve.
        found.append(parameter | {"schema": about})
    return found


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that may be absent, which in a query is not the same as null."""
    found = dict(schema)
    choices = [choice for choice in found.pop("anyOf", []) if choice != {"type": "null"}]
    if found.get("default", ...) is None:
        del found["default"]
    return {**choices[0], **found} if len(choices) == 1 else ({"anyOf": choices} if choices else {}) | found


def _header(each: Route) -> list[dict[str, Any]]:
    if each.body is None or "idempotency_key" not in each.body.model_fields:
        return []
    return [{
        "name": "Idempotency-Key", "in": "header", "required": False,
        "description": "The same as `idempotency_key` in the body.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }]


def _success(
    each: Route, status: int, model: type[BaseModel] | None, names: Mapping[type[BaseModel], str],
    schemas: dict[str, Any],
) -> dict[str, Any]:
    made: dict[str, Any] = {"description": _WORDS.get(status, "OK"), "headers": _response_headers()}
    if model is not None:
        schema = _reference(names[model])
        made["content"] = {JSON_TYPE: {"schema": schema, "example": sample(schema, schemas)}}
        if each.query is not None and "format" in each.query.model_fields:
            made["content"][CSV_TYPE] = {"schema": {"type": "string"}}
    elif each.produces != JSON_TYPE:
        made["content"] = {each.produces: {"schema": {"type": "string"}}}
    return made


_WORDS = {
    200: "OK", 201: "Created", 202: "Accepted: done soon after", 204: "Done, nothing to show",
    503: "A part of the system is missing",
}


def _response_headers() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}


def errors_of(each: Route) -> list[type[DomainError]]:
    """Return every error that an operation may answer with."""
    found: list[type[DomainError]] = []
    if not each.public:
        found += [Unauthorized, TooManyRequests]
    if each.parameters:
        found += [ValidationError]
    if any(is_id(name) for name in each.parameters):
        found += [NotFound]
    has_body = each.body is not None or each.content_types != (JSON_TYPE,)
    if each.query is not None or has_body or not each.public:
        found += [ValidationError, InvalidRequest]
    if has_body:
        found += [PayloadTooLarge]
    if each.body is not None and "idempotency_key" in each.body.model_fields:
        found += [IdempotencyConflict]
    found += [*each.errors, InternalError, Unavailable]
    return list(dict.fromkeys(found))


def _errors(each: Route) -> dict[str, Any]:
    by_status: dict[int, list[type[DomainError]]] = defaultdict(list)
    for error in errors_of(each):
        by_status[status_of(error)].append(error)
    made: dict[str, Any] = {}
    for status, errors in sorted(by_status.items()):
        if status in each.responses:
            continue
        first = errors[0]
        example = {"code": first.code, "message": first.default_message, "request_id": "req_0123456789abcdef"}
        schema = _reference("Error")
        made[str(status)] = {
            "description": "; ".join(f"`{error.code}`: {error.default_message}" for error in errors),
            "content": {
                JSON_TYPE: {"schema": schema, "example": example},
                "application/problem+json": {"schema": schema},
            },
        }
    return made


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")
    openapi: str


@cache
def document_text() -> str:
    """Return the document as it is served; made once, when first asked for."""
    return dumps(document())


@route(
    "GET", "/openapi.json", summary="This document", tag="Documentation", responses={200: Document},
    public=True,
)
def openapi(request: Request) -> Reply:
    """Return the OpenAPI 3.1 document of all operations."""
    return Reply(200, text=document_text())
