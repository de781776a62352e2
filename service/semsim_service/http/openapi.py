"""The OpenAPI document, made from the schemas. ``docs/openapi.json`` is its committed copy."""

import json
import sys
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

import semsim
from semsim_service.core.schemas import ErrorEnvelope, ModelInfo, ScoreRequest, ScoreResponse
from semsim_service.http.controls_header import ControlsAsked

_REFERENCE = "#/components/schemas/"
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {}]
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Echoed, and written to the log; a new one is made where it is missing.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$"},
}
_ECHO = {"X-Request-Id": {"description": "The request's.", "schema": {"type": "string"}}}


@cache
def document() -> bytes:
    """The document as JSON, made once: anybody may ask for it, as often as they like."""
    return json.dumps(openapi()).encode()


def openapi() -> dict[str, Any]:
    """The document in OpenAPI 3.1, as data that JSON can hold."""
    _, schemas = models_json_schema(
        [
            (ScoreRequest, "validation"),
            (ScoreResponse, "serialization"),
            (ModelInfo, "serialization"),
            (ErrorEnvelope, "serialization"),
        ],
        ref_template=_REFERENCE + "{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SemSim",
            "version": semsim.__version__,
            "summary": "Would a person recognise what a gradient-inversion attack rebuilt?",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/score": {"post": _score("score")},
            "/v1/score": {"post": _score("scoreV1")},
            "/model": {"get": _model()},
            "/livez": {"get": _get("The process is alive.", _text())},
            "/readyz": {
                "get": _get(
                    "The model is loaded and warm.", _text(), {"503": _error("not_ready: the model is not loaded yet.")}
                )
            },
            "/metrics": {"get": _get("Prometheus metrics.", _text())},
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _score(name: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "Score pairs of original and reconstruction.",
        "security": _SECURITY,
        "parameters": [_REQUEST_ID, _shape(), _originals(), _controls()],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": _REFERENCE + "ScoreRequest"}},
                "multipart/form-data": {"schema": _multipart()},
                "application/octet-stream": {"schema": _raw()},
            },
        },
        "responses": {
            "200": _json("ScoreResponse", "One result a pair, in order; a pair that failed carries its error.")
            | {"headers": {"Server-Timing": _header("Milliseconds in decode, queue and inference."), **_ECHO}},
            "400": _error("invalid_request: the request does not fit the schema."),
            "401": _error("unauthenticated: the bearer token is missing or wrong."),
            "403": _FOREIGN,
            "413": _error("body_too_large, too_many_pairs: over a limit of GET /model."),
            "415": _error("unsupported_media_type."),
            "429": _error("overloaded: the queue is full.")
            | {"headers": {"Retry-After": _header("Seconds after which there should be room."), **_ECHO}},
            "504": _error("timeout."),
        },
    }


def _model() -> dict[str, Any]:
    answers = _get(
        "The manifest, the execution provider and the limits.",
        _json("ModelInfo"),
        {"401": _error("unauthenticated: the bearer token is missing or wrong."), "403": _FOREIGN},
    )
    return answers | {"security": _SECURITY}


def _shape() -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[1-9][0-9]{0,8},[1-9][0-9]{0,8},[1-9][0-9]{0,8}$"}
    text = "N,H,W of a raw body: N pairs of images of H rows and W columns."
    return {"name": "X-Semsim-Shape", "in": "header", "description": text, "schema": schema, "example": "8,32,32"}


def _originals() -> dict[str, Any]:
    text = "1 where a raw body holds a single original, for all N reconstructions; otherwise N, as without it."
    return {"name": "X-Semsim-Originals", "in": "header", "description": text, "schema": {"type": "string"}}


def _controls() -> dict[str, Any]:
    text = "false leaves chance and identified out, as the field controls of a JSON body does; they are null then. "
    text += "histogram adds controls_histogram to each result: the distances of the controls to the reconstruction."
    schema = {"type": "string", "enum": [value.value for value in ControlsAsked], "default": ControlsAsked.CHANCE.value}
    return {"name": "X-Semsim-Controls", "in": "header", "description": text, "schema": schema}


def _raw() -> dict[str, Any]:
    text = "uint8 RGB, rows of pixels: N originals (or 1), then N reconstructions, (N + N) x H x W x 3 bytes."
    return {"type": "string", "contentMediaType": "application/octet-stream", "description": text}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _multipart() -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {
        "type": "object",
        "description": "The i-th original belongs to the i-th reconstruction; a single original to all of them.",
        "required": ["original", "reconstruction"],
        "properties": {
            "original": {"type": "array", "minItems": 1, "items": file},
            "reconstruction": {"type": "array", "minItems": 1, "items": file},
            "id": {"type": "array", "items": {"type": "string", "maxLength": 256}},
        },
    }


def _get(summary: str, ok: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": ok} | (others or {})}


def _json(name: str, description: str = "") -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REFERENCE + name}}}
    return {"description": description or name, "content": content}


def _text() -> dict[str, Any]:
    return {"description": "Plain text.", "content": {"text/plain": {"schema": {"type": "string"}}}}


def _error(description: str) -> dict[str, Any]:
    return _json("ErrorEnvelope", description)


_FOREIGN = _error("forbidden: the Host or the Origin is not the service's.")


if __name__ == "__main__":
    json.dump(openapi(), sys.stdout, indent=2)
    sys.stdout.write("\n")
