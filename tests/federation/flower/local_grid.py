"""A grid that calls the ClientApp in this process: neither Ray nor ports."""

from collections.abc import Iterable, Mapping

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity


class LocalGrid(Grid):
    """Nodes 1 to N, whose ``partition-id`` counts from 0."""

    def __init__(self, app: ClientApp, nodes: int, run_config: Mapping[str, object]) -> None:
        self.app, self.replies = app, list[Message]()
        TaskIdentity.task_id = TaskIdentity.run_id = 1
        TaskIdentity.node_id = 0
        self.contexts = {
            node: Context(1, node, {"partition-id": node - 1, "num-partitions": nodes}, RecordDict(), dict(run_config))
            for node in range(1, nodes + 1)
        }

    def set_run(self, run: Run) -> None:
        """Refuse: a grid in this process has no run of its own."""
        raise NotImplementedError

    @property
    def run(self) -> Run:
        """Refuse: a grid in this process has no run of its own."""
        raise NotImplementedError

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Make a message as Flower does."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """All nodes."""
        return list(self.contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Refuse: messages are answered at once."""
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Refuse: messages are answered at once."""
        raise NotImplementedError

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """The replies; an exception of the app is an error, as Flower's own nodes make one of it."""
        replies = []
        for message in messages:
            try:
                replies.append(self.app(message, self.contexts[message.metadata.dst_node_id]))
            except Exception as error:  # noqa: BLE001  # Flower's nodes catch all, too
                replies.append(Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, str(error)), reply_to=message))
        self.replies += replies
        return replies
