"""The service ``inference.GRPCInferenceService``, with the one model that is served."""

import asyncio
from collections.abc import Callable

from google.protobuf.message import Message

import semsim
from semsim.exceptions import NotFound
from semsim.protos.inference import grpc_predict_v2_pb2 as pb
from semsim_service.core.call import Call
from semsim_service.core.received import ReceivedRequest
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.calls.caller import Handler
from semsim_service.grpc_transport.calls.drain import Drain
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers, answering_strangers
from semsim_service.grpc_transport.calls.unary import unary
from semsim_service.grpc_transport.calls.wire import AT_ONCE_BYTES, parse
from semsim_service.grpc_transport.open_inference.inputs import ORIGINALS, RECONSTRUCTIONS, claim_of, read_pairs
from semsim_service.grpc_transport.open_inference.outputs import CONTROLLED, OUTPUTS, infer_message, requested_outputs

NAME: str = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

_ANY = -1


class Inference:
    """The service's methods."""

    def __init__(self, core: ScoringCore, drain: Drain, strangers: Strangers) -> None:
        self._core = core
        self._strangers = strangers
        self._drain = drain
        self._name, self._version = core.manifest.name, core.manifest.version

    def handlers(self) -> dict[str, Handler]:
        """The handlers of the methods, by name."""
        core, drain, strangers = self._core, self._drain, self._strangers
        return {
            "ServerLive": self._probe(self._server_live),
            "ServerReady": self._probe(self._server_ready),
            "ModelReady": self._probe(self._model_ready),
            "ServerMetadata": unary(core, drain, strangers, f"/{NAME}/ServerMetadata", self._server_metadata),
            "ModelMetadata": unary(core, drain, strangers, f"/{NAME}/ModelMetadata", self._model_metadata),
            "ModelInfer": unary(core, drain, strangers, f"/{NAME}/ModelInfer", self._model_infer),
        }

    def _probe(self, answer: Callable[[bytes], Message]) -> Handler:
        """The handler of a method that needs no token, like HTTP's probes."""
        return answering_strangers(self._strangers, lambda message: answer(message).SerializeToString())

    def _server_live(self, message: bytes) -> pb.ServerLiveResponse:
        parse(pb.ServerLiveRequest, message, self._core.limits)
        return pb.ServerLiveResponse(live=True)

    @property
    def _is_ready(self) -> bool:
        return self._drain.is_open and not self._core.is_stuck

    def _server_ready(self, message: bytes) -> pb.ServerReadyResponse:
        parse(pb.ServerReadyRequest, message, self._core.limits)
        return pb.ServerReadyResponse(ready=self._is_ready)

    def _model_ready(self, message: bytes) -> pb.ModelReadyResponse:
        request = parse(pb.ModelReadyRequest, message, self._core.limits)
        return pb.ModelReadyResponse(ready=self._is_ready and self._serves(request.name, request.version))

    async def _server_metadata(self, _: Call, message: bytes) -> pb.ServerMetadataResponse:
        parse(pb.ServerMetadataRequest, message, self._core.limits)
        return pb.ServerMetadataResponse(name="semsim", version=semsim.__version__)

    async def _model_metadata(self, _: Call, message: bytes) -> pb.ModelMetadataResponse:
        request = parse(pb.ModelMetadataRequest, message, self._core.limits)
        self._check_model(request.name, request.version)
        return _describe(self._name, self._version)

    async def _model_infer(self, call: Call, message: bytes) -> pb.ModelInferResponse:
        limits = self._core.limits
        if len(message) > AT_ONCE_BYTES:
            request = await asyncio.to_thread(parse, pb.ModelInferRequest, message, limits)
        else:
            request = parse(pb.ModelInferRequest, message, limits)
        self._check_model(request.model_name, request.model_version)
        outputs = requested_outputs(request)
        controls = bool(CONTROLLED & {*outputs})
        answer = await self._core.score(
            call, lambda: ReceivedRequest(read_pairs(request, limits), controls), claim_of(request)
        )
        return infer_message(answer, outputs, request.id)

    def _serves(self, name: str, version: str) -> bool:
        return name == self._name and version in ("", self._version)

    def _check_model(self, name: str, version: str) -> None:
        if not self._serves(name, version):
            raise NotFound(f"expected the model {self._name}, version {self._version} or none, got another")


def _describe(name: str, version: str) -> pb.ModelMetadataResponse:
    tensor = pb.ModelMetadataResponse.TensorMetadata
    return pb.ModelMetadataResponse(
        name=name,
        versions=[version],
        platform="onnxruntime_onnx",
        inputs=[
            tensor(name=images, datatype="UINT8", shape=[_ANY, _ANY, _ANY, 3])
            for images in (ORIGINALS, RECONSTRUCTIONS)
        ],
        outputs=[tensor(name=output, datatype=made.datatype, shape=[_ANY]) for output, made in OUTPUTS.items()],
    )
