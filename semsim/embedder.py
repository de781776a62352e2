"""The embedding network of an artifact, run by ONNX Runtime."""

import math

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidGraph
from semsim.manifest import InputSpec
from semsim.progress import Progress, silent
from semsim.providers import INPUT_NAME, OUTPUT_NAME, ProviderReport, ProviderSettings, open_session


class Embedder:
    """Runs an artifact's graph. Threads may share it."""

    provider: ProviderReport
    """The execution provider that runs the graph."""

    def __init__(
        self, graph: bytes, images: InputSpec, dimension: int, settings: ProviderSettings, batch_size: int
    ) -> None:
        """Open the graph of an artifact, which takes ``images`` and gives embeddings of ``dimension``.

        Raises:
            InvalidGraph: the graph cannot be loaded, or takes or gives something else.
            ProviderUnavailable: a required execution provider is not usable here.
        """
        if batch_size < 1:
            raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
        self._spec = images
        self._dimension = dimension
        self._batch_size = batch_size
        self._session, self.provider = open_session(graph, images, settings, batch_size)
        self._check_signature()

    def embed(self, batch: NDArray[np.uint8], progress: Progress = silent) -> NDArray[np.float32]:
        """Embeddings float32 ``(N, D)`` of a batch uint8 ``(N, height, width, 3)`` of the artifact's size.

        ``progress`` is told after each run of the network.

        Raises:
            InvalidGraph: the network gave NaN or infinity.
        """
        size = self._batch_size
        runs = []
        for start in range(0, len(batch), size):
            runs.append(self._session.run([OUTPUT_NAME], {INPUT_NAME: batch[start : start + size]})[0])
            progress("embedding", min(start + size, len(batch)), len(batch))
        if len(runs) == 1:
            embeddings: NDArray[np.float32] = runs[0]
        else:
            embeddings = np.concatenate([np.empty((0, self._dimension), dtype=np.float32), *runs])
        # The sum is finite where all values are. One call, since each waits for the interpreter in a busy server.
        if not math.isfinite(np.add.reduce(embeddings, axis=None)):
            raise InvalidGraph("expected finite embeddings, got NaN or infinity")
        return embeddings

    def _check_signature(self) -> None:
        inputs = {node.name: (node.type, list(node.shape)) for node in self._session.get_inputs()}
        outputs = {node.name: (node.type, list(node.shape)) for node in self._session.get_outputs()}
        size = [self._spec.height, self._spec.width, 3]
        kind, shape = inputs.get(INPUT_NAME, ("nothing", [None]))
        if len(inputs) != 1 or kind != "tensor(uint8)" or shape[1:] != size or isinstance(shape[0], int):
            raise InvalidGraph(f"expected one input {INPUT_NAME} uint8 [N, {size[0]}, {size[1]}, 3], got {inputs}")
        kind, shape = outputs.get(OUTPUT_NAME, ("nothing", [None]))
        if kind != "tensor(float)" or shape[1:] != [self._dimension]:
            raise InvalidGraph(f"expected an output {OUTPUT_NAME} float32 [N, {self._dimension}], got {outputs}")
