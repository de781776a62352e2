"""Commands without their start: a process that has imported torch and timm forks one for each command.

To import the heavy packages takes a command ten times as long as to work on little data. A forked command is a process
of its own, with its own arguments, directory, environment, output and exit code.

    python -m tests.training.warm SOCKET                    the process that forks
    python tests/training/warm.py SOCKET score a.png b.png  a command, to be run where ``semsim`` would be
"""

import json
import os
import socket
import sys
import traceback
from importlib import import_module
from pathlib import Path

_IMPORTED = ("torch", "timm", "sklearn.isotonic", "scipy.stats", "matplotlib.pyplot", "onnxruntime", "onnx")


def serve(address: str) -> None:
    """Fork a process for every connection, until this one is ended."""
    from semsim.commands.main import main

    for name in _IMPORTED:
        import_module(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            connection, _ = listening.accept()
            request, outputs, _, _ = socket.recv_fds(connection, 2**20, 2)
            if os.fork() == 0:
                break
            connection.close()
            for output in outputs:
                os.close(output)
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
    arguments, directory, environment = json.loads(request)
    sys.argv = ["semsim", *arguments]
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    status = 0
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:  # noqa: BLE001  # the edge of a process
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([status]))
    os._exit(status)


def call(address: str, arguments: list[str]) -> int:
    """Have a command run as if it were this process; its exit code."""
    request = json.dumps([arguments, str(Path.cwd()), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [request], [1, 2])
        answer = connection.recv(1)
    return answer[0] if answer else 1


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
