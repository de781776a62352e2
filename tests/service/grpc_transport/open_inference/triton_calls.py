"""Calls of the real tritonclient, in a process of its own.

Its generated code and this repository's describe the same protocol, and protobuf lets a process have only one of them:
tritonclient is imported by the functions, which run in the other process, and none of ours is imported at all.
"""

from dataclasses import dataclass

import numpy as np
from google.protobuf.descriptor import Descriptor

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Refused:
    """The failure of a call, as tritonclient tells it."""

    status: str
    message: str


@dataclass(frozen=True)
class Described:
    """All that the client learns before it infers."""

    live: bool
    ready: bool
    model_ready: bool
    other_ready: bool
    server: str
    version: str
    versions: list[str]
    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]


def describe(address: str, model: str) -> Described:
    """Everything that the client can ask about a server and its model."""
    import tritonclient.grpc as triton

    with triton.InferenceServerClient(address) as client:
        server, metadata = client.get_server_metadata(), client.get_model_metadata(model)
        return Described(
            client.is_server_live(),
            client.is_server_ready(),
            client.is_model_ready(model),
            client.is_model_ready("other"),
            server.name,
            server.version,
            list(metadata.versions),
            {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in metadata.inputs},
            {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in metadata.outputs},
        )


def infer(
    address: str,
    model: str,
    inputs: Arrays,
    outputs: tuple[str, ...] | None = None,
    version: str = "",
    token: str | None = None,
) -> Arrays | Refused:
    """The outputs of ModelInfer by name. Arrays of objects are BYTES."""
    import tritonclient.grpc as triton
    from tritonclient.utils import InferenceServerException, np_to_triton_dtype

    with triton.InferenceServerClient(address) as client:
        tensors = []
        for name, array in inputs.items():
            tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        requested = None if outputs is None else [triton.InferRequestedOutput(name) for name in outputs]
        headers = None if token is None else {"authorization": f"Bearer {token}"}
        try:
            result = client.infer(
                model, tensors, model_version=version, outputs=requested, request_id="r-1", headers=headers
            )
        except InferenceServerException as error:
            return Refused(error.status(), error.message())
        response = result.get_response()
        assert response.id == "r-1"
        return {output.name: result.as_numpy(output.name) for output in response.outputs}


def published_fields(messages: list[str]) -> dict[str, dict[str, tuple[int, int, int]]]:
    """Number, type and label of every field of the client's own messages, by message and field name."""
    from tritonclient.grpc import service_pb2

    return {name: fields_of(service_pb2.DESCRIPTOR.message_types_by_name[name]) for name in messages}


def fields_of(message: Descriptor) -> dict[str, tuple[int, int, int]]:
    """Number, type and label of every field of a message, nested ones included."""
    fields = {field.name: (field.number, field.type, int(field.is_repeated)) for field in message.fields}
    for nested in message.nested_types:
        fields |= {f"{nested.name}.{name}": field for name, field in fields_of(nested).items()}
    return fields
