"""The service ``semsim.v1.Scorer``."""

from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.call import Call
from semsim_service.core.claim import Claim
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.calls.caller import Handler
from semsim_service.grpc_transport.calls.drain import Drain
from semsim_service.grpc_transport.calls.tokenless_calls import Strangers
from semsim_service.grpc_transport.calls.unary import unary
from semsim_service.grpc_transport.calls.wire import AT_ONCE_BYTES, parse
from semsim_service.grpc_transport.semsim_v1.score_request import claim_of, read_request
from semsim_service.grpc_transport.semsim_v1.score_response import model_message, score_message
from semsim_service.grpc_transport.semsim_v1.score_stream import score_stream

NAME: str = pb.DESCRIPTOR.services_by_name["Scorer"].full_name


def scorer_handlers(core: ScoringCore, drain: Drain, strangers: Strangers) -> dict[str, Handler]:
    """The handlers of the service's methods, by name."""
    limits = core.limits

    async def score(call: Call, message: bytes) -> pb.ScoreResponse:
        if len(message) > AT_ONCE_BYTES:
            return score_message(await core.score(call, lambda: read_request(read(message), limits), Claim()))
        request = read(message)
        return score_message(await core.score(call, lambda: read_request(request, limits), claim_of(request)))

    def read(message: bytes) -> pb.ScoreRequest:
        return parse(pb.ScoreRequest, message, limits)

    async def get_model(_: Call, message: bytes) -> pb.GetModelResponse:
        parse(pb.GetModelRequest, message, limits)
        return model_message(core.model_info())

    return {
        "Score": unary(core, drain, strangers, f"/{NAME}/Score", score),
        "ScoreStream": score_stream(core, drain, strangers, f"/{NAME}/ScoreStream"),
        "GetModel": unary(core, drain, strangers, f"/{NAME}/GetModel", get_model),
    }
