"""The example of federated averaging."""

from examples.fedavg import main


def test_leaking_clients_are_blocked_and_the_rounds_end() -> None:
    """Without a guard in the way every client sends, with one none does."""
    assert main(rounds=1, clients=2, action="block", seconds=2.0) == 0
    assert main(rounds=2, clients=1, action="report", seconds=2.0) == 2
