"""The command `semsim doctor`: tells what this machine has, and whether a service would start."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

_MARKS = {"fine": " ok ", "slower": "slow", "missing": "miss", "problem": "FAIL"}


@app.command(epilog="Example: semsim doctor --port 3000")
def doctor(
    host: Annotated[str, typer.Option(help="Address that the service would listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65534, help="Port of HTTP; gRPC listens on the next one.")] = 3000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Look at Python, execution providers, drivers, model, memory, threads and disks, and say what would be faster.

    It takes the same variables SEMSIM_* as `semsim serve`. Nothing is started, written or sent.

    Exit codes: 0 `semsim serve` would start; 1 it would not, or could not tell.
    """
    from semsim_service.host.diagnosis import examine

    findings = examine(host, port)
    would_serve = all(finding.state != "problem" for finding in findings)
    if as_json:
        report = {"would_serve": would_serve, "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(report, indent=2))
    else:
        for finding in findings:
            typer.echo(f"{_MARKS[finding.state]}  {finding.subject:<10} {finding.told}")
            if finding.advice:
                typer.echo(f"{'':16} -> {finding.advice}")
        typer.echo("semsim serve would start" if would_serve else "semsim serve would not start")
    raise typer.Exit(0 if would_serve else 1)
