"""YAML that people write. A key that stands twice is a mistake: its first value would be lost without a word.

Nothing in the library imports this module: PyYAML comes with the extras ``train`` and ``serve``.
"""

from collections import Counter
from typing import Any

import yaml


class _EachKeyOnce(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter((key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        twice = [name for (_, name), count in keys.items() if count > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"expected each key once, got {twice[0]} twice", node.start_mark
            )
        values: dict[Any, Any] = super().construct_mapping(node, deep)
        return values


def read_yaml(text: str) -> Any:
    """The value in a YAML text.

    Raises:
        YAMLError: the text is no YAML, or a key stands twice in a mapping.
        Exception: what else reading a wrong date or too deep a list raises.
    """
    return yaml.load(text, _EachKeyOnce)  # noqa: S506  # a SafeLoader
