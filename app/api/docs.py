"""The interactive page at /docs: one HTML file that needs nothing but this server."""

from functools import cache
from pathlib import Path

from app.api.routing import Reply, Request, route

PAGE = Path(__file__).with_name("docs.html")


@cache
def page() -> str:
    """Return the page; read once."""
    return PAGE.read_text()


@route(
    "GET", "/docs", summary="Interactive documentation", tag="Documentation", responses={200: None},
    public=True, produces="text/html",
)
def docs(request: Request) -> Reply:
    """Return a page that shows every operation and sends requests with a key."""
    return Reply(200, text=page(), content_type="text/html; charset=utf-8", headers={
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    })
