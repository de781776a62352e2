"""``grpc.health.v1`` and reflection, as load balancers and grpcurl use them."""

import threading
import time

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from semsim import Scorer
from semsim.protos.inference import grpc_predict_v2_pb2 as inference_pb
from semsim_service.core.metrics import ServiceMetrics
from tests.service.grpc_transport.running import PATIENCE, Running, running

SERVICES = ["grpc.health.v1.Health", "inference.GRPCInferenceService", "semsim.v1.Scorer"]
REFLECTION = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", "semsim.v1.Scorer", "inference.GRPCInferenceService"])
def test_health(server: Running, service: str) -> None:
    """The server and each of its services are SERVING."""
    health = health_pb2_grpc.HealthStub(server.channel)
    assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == SERVING


def test_health_of_a_service_that_is_not_there(server: Running) -> None:
    """A check says NOT_FOUND. A watch goes on, since the service may come."""
    health = health_pb2_grpc.HealthStub(server.channel)
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health.Watch(health_pb2.HealthCheckRequest(service="other"))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_watchers_hear_of_a_stop(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Each of several watchers, also when another has left, hears NOT_SERVING, and none holds up the stop."""
    with running(small_scorer, metrics) as server:
        health = health_pb2_grpc.HealthStub(server.channel)
        leaves, *stay = [health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True) for _ in range(3)]
        assert [next(watch).status for watch in (leaves, *stay)] == [SERVING] * 3
        leaves.cancel()
        stopped = threading.Event()
        threading.Thread(target=lambda: (server.run(server.transport.stop(PATIENCE)), stopped.set())).start()
        assert [[answer.status for answer in watch] for watch in stay] == [[NOT_SERVING]] * 2
        assert stopped.wait(5)


def test_a_stuck_server_is_not_serving(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Where no thread decodes any more, checks say NOT_SERVING and not ready, until one does."""
    go = threading.Event()

    async def get_stuck(server: Running) -> None:
        lane = server.core._work.decoding._small
        for _ in lane._deadlines:
            lane.run(lambda: go.wait(PATIENCE), time.monotonic() - 10)

    with running(small_scorer, metrics) as server:
        health = health_pb2_grpc.HealthStub(server.channel)
        ready = server.channel.unary_unary(
            "/inference.GRPCInferenceService/ServerReady",
            inference_pb.ServerReadyRequest.SerializeToString,
            inference_pb.ServerReadyResponse.FromString,
        )
        server.run(get_stuck(server))
        deadline = time.monotonic() + PATIENCE
        while health.Check(health_pb2.HealthCheckRequest()).status == SERVING:
            assert time.monotonic() < deadline
        assert not ready(inference_pb.ServerReadyRequest()).ready
        go.set()
        while health.Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING:
            assert time.monotonic() < deadline
        assert ready(inference_pb.ServerReadyRequest()).ready


@pytest.mark.parametrize("name", REFLECTION)
def test_reflection(server: Running, name: str) -> None:
    """Both versions of reflection list the services, and describe them by name, themselves too."""
    reflect = server.channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
    asked += [reflection_pb2.ServerReflectionRequest(file_containing_symbol=one) for one in (*SERVICES, *REFLECTION)]
    listed, *described = reflect(iter(asked))
    names = [service.name for service in listed.list_services_response.service]
    assert sorted(names) == sorted([*SERVICES, *REFLECTION])
    for one, answer in zip((*SERVICES, *REFLECTION), described, strict=True):
        file = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
        assert one in [f"{file.package}.{service.name}" for service in file.service]
