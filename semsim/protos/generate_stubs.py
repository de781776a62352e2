"""`make protos`: makes the Python of this package from its .proto files."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
"""The directory that holds the package ``semsim``. Imports in the generated code start there."""

_SUFFIXES = {
    "semsim/protos/semsim/v1/scorer": ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py"),
    # No client stubs: the Open Inference Protocol's clients bring their own.
    "semsim/protos/inference/grpc_predict_v2": ("_pb2.py", "_pb2.pyi"),
}
GENERATED = tuple(proto + suffix for proto, suffixes in _SUFFIXES.items() for suffix in suffixes)
"""The generated files, as paths from the root."""


def generate(directory: Path) -> None:
    """Write :data:`GENERATED` below ``directory``.

    Raises:
        RuntimeError: the compiler refused a file, and has said why.
    """
    from grpc_tools import protoc  # needed by those who change a .proto file only

    for proto, suffixes in _SUFFIXES.items():
        arguments = ["protoc", f"-I{ROOT}", f"--python_out={directory}", f"--pyi_out={directory}"]
        if "_pb2_grpc.py" in suffixes:
            arguments.append(f"--grpc_python_out={directory}")
        if protoc.main([*arguments, f"{proto}.proto"]) != 0:
            raise RuntimeError(f"expected a valid {proto}.proto, got one that protoc refuses")


if __name__ == "__main__":
    generate(ROOT)
