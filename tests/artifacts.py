"""Small artifacts made by hand: a real ONNX graph with a valid manifest, without torch."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from semsim.manifest import (
    CONTROLS_FILE,
    GRAPH_FILE,
    MANIFEST_FILE,
    ControlsSpec,
    EmbeddingSpec,
    GraphSpec,
    InputSpec,
    Manifest,
    Parity,
    TrainingRecord,
)

SIDE = 16
DIMENSION = 12


def small_graph(batch: int | str = "N") -> bytes:
    """A graph that scales, pools 4x4 and projects uint8 ``[N, 16, 16, 3]`` to float32 ``[N, 12]``."""
    weights = np.random.default_rng(7).normal(0.0, 1.0, (3 * 16, DIMENSION)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, [batch, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [batch, DIMENSION])],
        [
            numpy_helper.from_array(np.array(255.0, dtype=np.float32), "scale"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def manifest_for(graph: bytes, **changes: Any) -> Manifest:
    """A valid manifest of ``graph``."""
    fields: dict[str, Any] = {
        "name": "small",
        "version": "0.0.1",
        "summary": "A random projection, for tests.",
        "licence": "Apache-2.0",
        "source": "tests",
        "graph": GraphSpec(sha256=hashlib.sha256(graph).hexdigest(), size_bytes=len(graph), precision="fp32", opset=20),
        "input": InputSpec(height=SIDE, width=SIDE),
        "embedding": EmbeddingSpec(dimension=DIMENSION, normalized=False),
        "training": TrainingRecord(summary="Not trained.", on_annotations=False),
        "parity": Parity(images=2, provider="cpu", max_abs_difference=0.0, pairs=1, distance_spearman=1.0),
        "versions": {},
    }
    return Manifest.model_validate(fields | changes)


def write_artifact(directory: Path, graph: bytes | None = None, *, controls: int = 0, **changes: Any) -> Path:
    """Write an artifact directory, with so many random controls, and return it."""
    graph = graph or small_graph()
    directory.mkdir(parents=True)
    (directory / GRAPH_FILE).write_bytes(graph)
    if controls:
        embeddings = np.random.default_rng(3).normal(0.0, 2.0, (controls, DIMENSION)).astype(np.float16)
        np.save(directory / CONTROLS_FILE, embeddings)
        changes["controls"] = ControlsSpec(
            sha256=hashlib.sha256((directory / CONTROLS_FILE).read_bytes()).hexdigest(),
            count=controls,
            dimension=DIMENSION,
            graph_sha256=hashlib.sha256(graph).hexdigest(),
            source="random numbers",
        )
    (directory / MANIFEST_FILE).write_text(manifest_for(graph, **changes).model_dump_json())
    return directory
