"""A hook of MkDocs that gathers the site's pages: `make docs`.

Every page has the path that it has in the repository, so that its links work in both. The pages of the reference
and of the notebook are made here.
"""

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[2]
SHOWN = (
    "*.md",
    "docs/**/*.md",
    "models/*/*.md",
    "datasets/*.md",
    "examples/*/*.md",
    "docs/site/*.css",
    "docs/site/*.svg",
)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
NOTEBOOK = "examples/quickstart.ipynb"
OUTSIDE = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="?(?:https?:)?//[^>]*')


def on_config(config: MkDocsConfig) -> None:
    """Headings get GitHub's anchors."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages, the pictures and files that they link to, and the files of the theme."""
    kept = Files([file for file in files if file.src_dir != config.docs_dir])
    paths = {path for pattern in SHOWN for path in ROOT.glob(pattern)}
    notebook = _notebook(json.loads((ROOT / NOTEBOOK).read_text()))
    for page in sorted(path for path in paths if path.suffix == ".md"):
        paths |= _linked(page.read_text(), page.parent)
    for path in sorted(paths | _linked(notebook, ROOT / "examples")):
        kept.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    kept.append(File.generated(config, NOTEBOOK.replace(".ipynb", ".md"), content=notebook))
    for name, page in config.extra["reference"].items():
        modules = "\n\n".join(f"::: {module}" for module in page["modules"])
        kept.append(File.generated(config, f"reference/{name}.md", content=f"# {page['title']}\n\n{modules}\n"))
    return kept


def on_page_markdown(markdown: str, **_: Any) -> str:
    """GitHub renders Markdown inside of details; Python-Markdown is told to. Links to the notebook lead to its page."""
    return re.sub(r"quickstart\.ipynb\)", "quickstart.md)", markdown.replace("<details>", '<details markdown="1">'))


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings name classes as Sphinx does; the site shows the name alone."""
    return re.sub(r":(?:class|func|meth|mod|attr):(?=<code>)", "", html)


def on_post_page(output: str, **_: Any) -> None:
    """A reader's browser asks no other host.

    Raises:
        PluginError: a page has a script, a style or a picture of another host.
    """
    if outside := OUTSIDE.search(output):
        raise PluginError(f"expected scripts, styles and pictures of the site itself, got {outside[0]}")


def _linked(markdown: str, folder: Path) -> set[Path]:
    """The files, other than the notebook, that a page links to."""
    linked = {(folder / target).resolve() for target in LINK.findall(markdown)}
    return {path for path in linked if path.is_file() and path != ROOT / NOTEBOOK}


def _notebook(notebook: dict[str, Any]) -> str:
    """The notebook as a page, with what its cells show."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            picture = output.get("data", {}).get("image/png")
            if picture:
                parts.append(f'<img alt="images beside each other" src="data:image/png;base64,{picture.strip()}">')
            elif "text" in output:
                parts.append(f"```text\n{''.join(output['text'])}```")
    return "\n\n".join(parts)
