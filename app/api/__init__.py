"""The HTTP layer: parse, authorise, call one flow or one read, render. Nothing else knows of Flask.

A file a noun; importing a file puts its routes into the table (app/api/routing.py).
"""

from flask import Flask

from app.api.application import build


def create_app() -> Flask:
    """Return the WSGI application; called once in each web process, after the fork."""
    return build()
