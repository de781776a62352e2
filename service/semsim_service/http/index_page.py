"""The page at ``/``, with links to the endpoints.

BentoML's own page loads scripts from elsewhere, which a private service must not do.
"""

from functools import cache

import semsim

HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""Headers by which a browser loads nothing else for the page."""

_LINKS = {
    "/docs.json": "the OpenAPI document",
    "/model": "the model, its execution provider and the limits",
    "/metrics": "Prometheus metrics",
    "/livez": "the process is alive",
    "/readyz": "the model is loaded and warm",
}


@cache
def page() -> str:
    """The page as HTML: no script, nothing from another host."""
    links = "".join(f'<li><a href="{path}">{path}</a>: {text}</li>' for path, text in _LINKS.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>SemSim</title>'
        "<style>body{font-family:sans-serif;margin:3em auto;max-width:40em}</style></head><body>"
        f"<h1>SemSim {semsim.__version__}</h1>"
        "<p>Would a person recognise what a gradient-inversion attack rebuilt?</p>"
        "<p><code>POST /score</code> scores pairs of original and reconstruction, as JSON, multipart or raw bytes.</p>"
        f"<ul>{links}</ul></body></html>\n"
    )
