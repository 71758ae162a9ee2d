"""The page /docs: the operations with an example of each body and answer, taken from the fields' own examples."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.edge.api.openapi import PREFIX, refusals
from bot.edge.api.operation import Operation
from bot.edge.pages import dump, render

Json = dict[str, Any]


def docs_page(operations: tuple[Operation, ...], document: Json) -> Any:
    """The handler of the page."""
    described = [_described(operation, document) for operation in operations]

    async def docs(request: web.Request) -> web.Response:
        return render(request, "docs.html", operations=described)

    return docs


def _described(operation: Operation, document: Json) -> Json:
    path = document["paths"][PREFIX + operation.path][operation.method.lower()]
    body = path.get("requestBody")
    return {
        "tag": operation.tag,
        "method": operation.method,
        "path": PREFIX + operation.path,
        "summary": operation.summary,
        "description": operation.description.replace("`", ""),
        "auth": "a key with the scope desk" if operation.scope == "desk" else "a key",
        "parameters": [_parameter(parameter) for parameter in path["parameters"]],
        "request_example": dump(example(_content(body), document)) if body else "",
        "responses": [
            {
                "status": one.status,
                "description": one.description,
                "example": dump(example(_content(path["responses"][str(one.status)]), document)),
            }
            for one in operation.answers
        ],
        "errors": [{"status": status, "description": words} for status, words in refusals(operation).items()],
    }


def _parameter(parameter: Json) -> Json:
    kind = parameter["schema"]
    named = " | ".join(kind["enum"]) if "enum" in kind else kind["type"]
    kept = {key: parameter[key] for key in ("name", "in", "required", "description")}
    return {**kept, "type": named}


def _content(described: Json) -> Json:
    (media,) = described["content"].values()
    schema: Json = media["schema"]
    return schema


def example(schema: Json, document: Json) -> Any:
    """A value of the schema: its own example, else the most telling one that can be made up."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if schema.get("examples"):
        return schema["examples"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], document)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [""])[0])
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: example(part, document) for name, part in schema["properties"].items()}
        case "object":
            return {}
        case "array":
            return [example(schema["items"], document)] if schema.get("items") else []
        case kind:
            return {"string": "…", "integer": 1, "number": 0.5, "boolean": False}.get(str(kind))
