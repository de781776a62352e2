"""The syntax trees of source files."""

import ast
from pathlib import Path


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a source file.

    CPython 3.11 counts the depth of a tree wrongly where a collection of garbage, or another thread, makes a second one
    meanwhile (https://github.com/python/cpython/issues/106905). The next attempt begins to count anew.
    """
    source = path.read_text()
    try:
        return ast.parse(source)
    except SystemError:
        return ast.parse(source)
