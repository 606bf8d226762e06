"""The reference as Markdown, made from the OpenAPI document: for docs/reference/api and for language models.

    python -m app.api.reference docs/reference/api

writes one file a tag; a test holds the written files against this.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.api.openapi import DESCRIPTION, document
from app.api.routing import Reply, Request, route
from app.domain.json import dumps

Document = Mapping[str, Any]


def operations(made: Document) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return method, path and operation, in the order of tags and paths."""
    found = [
        (method.upper(), path, operation)
        for path, methods in made["paths"].items() for method, operation in methods.items()
    ]
    return sorted(found, key=lambda each: (each[2]["tags"][0], each[1], each[0]))


def pages(made: Document) -> dict[str, str]:
    """Return the Markdown files by name: one a tag, and an index."""
    by_tag: dict[str, list[str]] = defaultdict(list)
    index = ["# API reference", "", "Made from the route table by `python -m app.api.reference`.", ""]
    for method, path, operation in operations(made):
        by_tag[operation["tags"][0]].append(section(method, path, operation, made))
    files = {}
    for tag, sections in by_tag.items():
        name = f"{tag.lower().replace(' ', '-')}.md"
        files[name] = f"# {tag}\n\n" + "\n".join(sections)
        index.append(f"- [{tag}]({name})")
    files["README.md"] = "\n".join(index) + "\n"
    return files


def section(method: str, path: str, operation: Mapping[str, Any], made: Document) -> str:
    """Return what there is to know of one operation."""
    lines = [f"## {operation['summary']}", "", f"`{method} {path}`", "", operation["description"], ""]
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["| parameter | in | type | meaning |", "| --- | --- | --- | --- |"]
        for each in parameters:
            need = " (required)" if each["required"] else ""
            kind = type_of(each["schema"], made)
            lines.append(f"| `{each['name']}`{need} | {each['in']} | {kind} | {each['description']} |")
        lines.append("")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        lines += [f"Body ({kind}):", "", *fields_of(content["schema"], made)]
        if "example" in content:
            lines += ["```json", dumps(content["example"]), "```", ""]
    for status, answer in operation["responses"].items():
        lines.append(f"- **{status}** {answer['description']}")
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema and not schema["$ref"].endswith("/Error"):
            lines[-1] += f": `{schema['$ref'].rsplit('/', 1)[-1]}`"
    lines.append("")
    for status, answer in operation["responses"].items():
        example = answer.get("content", {}).get("application/json", {}).get("example")
        if status.startswith("2") and example is not None:
            lines += ["```json", dumps(example), "```", ""]
            break
    return "\n".join(lines)


def fields_of(schema: Mapping[str, Any], made: Document) -> list[str]:
    """Return a table of an object's fields."""
    found = _resolved(schema, made)
    properties = found.get("properties")
    if not properties:
        return [found.get("description", ""), ""]
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    for name, about in properties.items():
        need = " (required)" if name in found.get("required", ()) else ""
        lines.append(f"| `{name}`{need} | {type_of(about, made)} | {about.get('description', '')} |")
    return [*lines, ""]


def type_of(schema: Mapping[str, Any], made: Document) -> str:
    """Return a type in words."""
    found = _resolved(schema, made)
    for word in ("anyOf", "oneOf"):
        if word in found:
            parts = dict.fromkeys(type_of(each, made) for each in found[word])
            return " or ".join(parts)
    if "enum" in found:
        return ", ".join(f"`{value}`" for value in found["enum"])
    if "const" in found:
        return f"`{found['const']}`"
    kind = str(found.get("type", "any"))
    if kind == "array":
        return f"array of {type_of(found.get('items', {}), made)}"
    if kind == "object" and "$ref" in schema:
        return f"object `{schema['$ref'].rsplit('/', 1)[-1]}`"
    bounds = [
        f"{label} {found[word]}"
        for word, label in (("minLength", "min."), ("maxLength", "max."), ("minimum", "≥"), ("maximum", "≤"))
        if word in found
    ]
    form = found.get("format")
    return kind + (f" ({form})" if form else "") + (f", {', '.join(bounds)}" if bounds else "")


def _resolved(schema: Mapping[str, Any], made: Document) -> Mapping[str, Any]:
    if "$ref" in schema:
        found: Mapping[str, Any] = made["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return found
    return schema


@cache
def short_text() -> str:
    """Return the table of contents for language models."""
    first, _, rest = DESCRIPTION.partition("\n")
    lines = ["# Florin", "", f"> {first}", "", rest.strip(), ""]
    lines += ["Full reference: /llms-full.txt. OpenAPI 3.1: /openapi.json. Interactive page: /docs.", ""]
    tag = ""
    for method, path, operation in operations(document()):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            lines += ["", f"## {tag}", ""]
        lines.append(f"- `{method} {path}`: {operation['summary']}")
    return "\n".join(lines) + "\n"


@cache
def full_text() -> str:
    """Return the whole reference as one text."""
    made = document()
    schemas = "\n".join(
        "\n".join([f"## {name}", "", schema.get("description", ""), "", *fields_of(schema, made)])
        for name, schema in made["components"]["schemas"].items()
    )
    sections = "\n".join(section(*each, made) for each in operations(made))
    return f"# Florin\n\n{DESCRIPTION}\n{sections}\n# Objects\n\n{schemas}"


@route(
    "GET", "/llms.txt", summary="Contents for language models", tag="Documentation", responses={200: None},
    public=True, produces="text/plain",
)
def llms(request: Request) -> Reply:
    """Return a short text that lists all operations."""
    return Reply(200, text=short_text(), content_type="text/plain; charset=utf-8")


@route(
    "GET", "/llms-full.txt", summary="Reference for language models", tag="Documentation",
    responses={200: None}, public=True, produces="text/plain",
)
def llms_full(request: Request) -> Reply:
    """Return the whole reference as one text."""
    return Reply(200, text=full_text(), content_type="text/plain; charset=utf-8")


def write(folder: Path) -> None:
    """Write the reference into a folder, in place of what stood there."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages(document())
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    from app.api.application import load_nouns

    load_nouns()
    write(Path(sys.argv[1]))
