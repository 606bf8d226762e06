"""API keys over HTTP: list, create, revoke. The text of a key appears once, in the answer that makes it."""

from collections.abc import Mapping
from typing import Any

from app.api.fields import Answer, Body, InstantText, Name, UuidText
from app.api.pages import Paged, list_of, listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.flows import api_keys as flow
from app.store import api_keys

_TAG = "API keys"


class ApiKeyCreate(Body):
    """A new key."""

    name: Name


class ApiKey(Answer):
    """A key, without its text."""

    id: UuidText
    name: str
    prefix: str
    created_at: InstantText
    last_used_at: InstantText | None = None
    revoked_at: InstantText | None = None


class ApiKeyCreated(ApiKey):
    """A new key with its text, which is shown this once."""

    key: str


def key_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a key."""
    return present(
        row, required=("id", "name", "prefix", "created_at"), optional=("last_used_at", "revoked_at")
    )


@route(
    "GET", "/v1/api-keys", summary="List API keys", tag=_TAG, query=Paged,
    responses={200: list_of(ApiKey)},
)
def list_api_keys(request: Request) -> Reply:
    """List the organization's keys, revoked ones too, newest first."""
    with connection() as c:
        return listing(
            request, api_keys.ORDER, lambda page: api_keys.page(c, request.organization_id, page), key_view
        )


@route(
    "POST", "/v1/api-keys", summary="Create an API key", tag=_TAG, body=ApiKeyCreate,
    responses={201: ApiKeyCreated}, example={"name": "Shop backend"}, log_bodies=False,
    description="The key has full access to the organization. It is shown once and stored as a hash.",
)
def create_api_key(request: Request) -> Reply:
    """Create a key."""
    key_id, text = flow.create(request.organization_id, request.body.name)
    with connection() as c:
        row = api_keys.get(c, request.organization_id, key_id)
    assert row is not None
    return Reply(201, {**key_view(row), "key": text})


@route(
    "DELETE", "/v1/api-keys/{id}", summary="Revoke an API key", tag=_TAG, responses={204: None},
    description="Every process refuses the key within one second. A key may revoke itself.",
)
def revoke_api_key(request: Request) -> Reply:
    """Revoke a key."""
    flow.revoke(request.organization_id, request.path["id"])
    return Reply(204)
