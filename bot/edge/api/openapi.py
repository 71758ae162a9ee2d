"""The contract, made from the operations themselves, so that it cannot tell of others: OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.edge.api.answers import Problem
from bot.edge.api.operation import Operation, Parameter
from bot.edge.api.reading import LISTS
from bot.edge.problems import MEDIA_TYPE

Names = dict[tuple[Any, str], str]
"""Where the schema of each model lies, for what is taken ("validation") and given ("serialization")."""

PREFIX = "/api/v1"
_REFS = "#/components/schemas/{model}"
_WORDS = {
    400: "The body is not JSON.",
    401: "No key, or one we do not know.",
    403: "The key may not do this.",
    404: "There is no such thing.",
    409: "Someone else was faster, or it was reported before with other content.",
    413: "The body is too large.",
    422: "A field is missing or wrong; `errors` names each.",
    503: "The dialogue does not answer at the moment.",
}


def contract(operations: Sequence[Operation], version: str, server: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    schemas, names = _schemas(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _operation(operation, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Afterword",
            "version": version or "0",
            "description": "Times are RFC 3339 with an offset, languages BCP 47, phones E.164, errors RFC 9457.",
        },
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "`afterword api-key create --name NAME`"}
            },
        },
    }


def refusals(operation: Operation) -> dict[int, str]:
    """The errors an operation may answer, each with its meaning."""
    found = {401, *operation.refuses}
    if operation.scope == "desk":
        found.add(403)
    if operation.method == "POST":
        found |= {400, 413, 422}
    elif any(parameter.place == "query" for parameter in operation.parameters):
        found.add(422)
    return {status: _WORDS[status] for status in sorted(found)}


def _schemas(operations: Sequence[Operation]) -> tuple[dict[str, Any], Names]:
    taken = {model for operation in operations for model in operation.takes}
    given: set[type[BaseModel]] = {one.model for operation in operations for one in operation.answers}
    given |= {Problem, *LISTS.values()}
    inputs: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in taken]
    outputs: list[tuple[type[BaseModel], Any]] = [(model, "serialization") for model in given]
    everything = sorted(inputs + outputs, key=lambda one: (one[0].__name__, one[1]))
    refs, document = models_json_schema(everything, ref_template=_REFS)
    names: Names = {(model, mode): ref["$ref"] for (model, mode), ref in refs.items()}
    return document.get("$defs", {}), names


def _operation(operation: Operation, names: Names) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": _responses(operation, names),
    }
    if operation.idempotent:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    if operation.takes:
        body = _either([names[model, "validation"] for model in operation.takes])
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes repeating the request safe: the same key is answered as before, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _responses(operation: Operation, names: Names) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for one in operation.answers:
        models = [one.model, LISTS[operation.name]] if operation.name in LISTS else [one.model]
        schema = _either([names[model, "serialization"] for model in models])
        responses[str(one.status)] = {
            "description": one.description,
            "content": {"application/json": {"schema": schema}},
        }
    for status, words in refusals(operation).items():
        content = {MEDIA_TYPE: {"schema": {"$ref": names[Problem, "serialization"]}}}
        responses[str(status)] = {"description": f"{HTTPStatus(status).phrase}. {words}", "content": content}
    return responses


def _either(references: list[str]) -> dict[str, Any]:
    schemas = [{"$ref": reference} for reference in references]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
