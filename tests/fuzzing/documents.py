"""JSON documents that are nearly an export of Label Studio, or the manifest of a model."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from semsim_training.annotation.items import Shown
from semsim_training.annotation.keys import ShownItem, TaskKey
from tests.artifacts import manifest_for, small_graph
from tests.fuzzing.files import changes, contents
from tests.fuzzing.grids import put

KEY = TaskKey(
    protocol="label-studio/1",
    classes=("cat", "dog"),
    items=tuple(ShownItem(dataset="set", item=name, shown=Shown.RECONSTRUCTION, truth="cat") for name in ("aa", "bb")),
)
"""The key of the tasks that the exports are of."""


def _annotation(choice: str, user: object) -> dict[str, Any]:
    result = {"from_name": "shows", "to_name": "image", "type": "choices", "value": {"choices": [choice]}, "meta": {}}
    return {"id": 7, "was_cancelled": False, "lead_time": 3.25, "completed_by": user, "result": [result]}


_EXPORT = [
    {"id": 1, "data": {"item": "aa"}, "annotations": [_annotation("dog", 10), _annotation("cat", {"id": 11})]},
    {"item": "bb", "shows": "cat", "annotator": 10, "annotation_id": 7, "lead_time": 3.25},
]
_CALIBRATION = {"kind": "logistic", "slope": 2.0, "intercept": -1.0}
_MANIFEST = json.loads(manifest_for(small_graph(), calibration=_CALIBRATION, threshold=0.5).model_dump_json())


@st.composite
def _reshaped(draw: st.DrawFn, document: Any) -> bytes:
    document = deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        put(draw, document)
    return json.dumps(document).encode()


def _documents(document: Any) -> st.SearchStrategy[bytes]:
    text = json.dumps(document).encode()

    def damaged(edits: list[Any]) -> bytes:
        data = text
        for edit in edits:
            data = edit.apply(data)
        return data

    reshaped = _reshaped(document)
    return st.one_of(reshaped, reshaped, changes().map(damaged), contents())


EXPORTS, MANIFESTS = _documents(_EXPORT), _documents(_MANIFEST)
