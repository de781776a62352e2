"""Lower precisions of the bundled model's graph, beside it."""

import numpy as np
import onnx
import pytest

from semsim import Scorer
from semsim.artifact import Artifact
from semsim.exceptions import InvalidGraph
from semsim.images import resize_batch
from semsim_export.lowered_graph import LowerPrecision, lowered
from semsim_export.parity_pairs import degraded_pairs
from semsim_export.precision_report import compare_precisions, precision_text
from tests.conftest import ROOT
from tests.encoded import picture

pytestmark = pytest.mark.slow


def test_each_precision_is_timed_and_ranked_beside_the_bundled_graph(bundled: Scorer) -> None:
    """int8 and fp16 run and are what they say; bf16 has no convolution on a CPU, which the report tells."""
    artifact, size = bundled.artifact, bundled.manifest.input
    images = resize_batch([picture(48, 40, seed=seed) for seed in range(24)], size.height, size.width, size.filter)
    pairs, calibrating = degraded_pairs(images[:16], 0), degraded_pairs(images[16:], 1)
    figures, refused = compare_precisions(artifact, pairs, calibrating, runs=2)
    by_precision = {one.precision: one for one in figures}
    assert by_precision.keys() | refused.keys() == set(LowerPrecision)
    assert "Could not find an implementation for Conv" in refused[LowerPrecision.BF16]
    half, dynamic = by_precision[LowerPrecision.FP16], by_precision[LowerPrecision.INT8_DYNAMIC]
    assert half.spearman > 0.999
    assert half.largest < 0.01
    assert not dynamic.worth_a_choice
    assert dynamic.size_bytes < half.size_bytes
    text = precision_text(figures, refused, artifact, "16 pictures.")
    assert all(f"| {precision} | " in text for precision in by_precision)
    assert f"{LowerPrecision.BF16} does not run: ONNX Runtime cannot load the graph" in text


@pytest.mark.parametrize(
    ("precision", "kind"),
    [(LowerPrecision.FP16, onnx.TensorProto.FLOAT16), (LowerPrecision.BF16, onnx.TensorProto.BFLOAT16)],
)
def test_convolutions_are_halved_and_normalisations_are_not(
    bundled: Scorer, precision: LowerPrecision, kind: int
) -> None:
    """Every convolution takes and gives half precision; squares are summed in single."""
    model = onnx.load_from_string(lowered(bundled.artifact.graph, precision, np.empty(0, dtype=np.uint8)))
    typed = onnx.shape_inference.infer_shapes(model).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*typed.value_info, *typed.output)}
    of_operator = {
        operator: {kinds[node.output[0]] for node in typed.node if node.op_type == operator}
        for operator in ("Conv", "ReduceSum")
    }
    assert of_operator == {"Conv": {kind}, "ReduceSum": {onnx.TensorProto.FLOAT}}


def test_an_artifact_without_verdicts_is_refused() -> None:
    """Without a calibration there are no verdicts that could change."""
    images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    artifact = Artifact.load(ROOT / "models" / "imagenet-baseline")
    with pytest.raises(InvalidGraph, match="expected an artifact with a calibration, got imagenet-baseline"):
        compare_precisions(artifact, (images, images), (images, images), runs=1)
