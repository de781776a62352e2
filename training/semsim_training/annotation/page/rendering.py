"""Responses: rendered templates, and images that hold nothing but their pixels."""

import io
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from starlette.responses import HTMLResponse, Response

_TEMPLATES = Environment(
    loader=PackageLoader("semsim_training.annotation.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["readable"] = lambda name: name.replace("_", " ")


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that a template renders."""
    return HTMLResponse(_TEMPLATES.get_template(f"{template}.html").render(values), status)


def image(png: bytes) -> Response:
    """The pixels of ``png`` and nothing else that the file may hold."""
    sink = io.BytesIO()
    # Pixels copied by value: a file's text, dates and profiles stay behind.
    with Image.open(io.BytesIO(png)) as opened:
        pixels = opened.convert("RGB")
    Image.frombytes("RGB", pixels.size, pixels.tobytes()).save(sink, "PNG")
    return Response(sink.getvalue(), media_type="image/png")
