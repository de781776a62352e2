"""The client of a SemSim service: it scores pairs elsewhere, with the results of :class:`semsim.scorer.Scorer`.

It needs numpy and httpx (``pip install 'semsim[client]'``), and for gRPC also grpcio and protobuf
(``pip install 'semsim[grpc]'``); no ONNX Runtime and no model.
"""

from semsim.client.async_client import AsyncClient, AsyncGrpcClient
from semsim.client.connection import ConnectionOptions
from semsim.client.remote_scorer import RemoteScorer
from semsim.client.service_model import ServiceModel
from semsim.client.sync_client import Client, GrpcClient

__all__ = [
    "AsyncClient",
    "AsyncGrpcClient",
    "Client",
    "ConnectionOptions",
    "GrpcClient",
    "RemoteScorer",
    "ServiceModel",
]
