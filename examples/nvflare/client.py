"""The training script of the example: one step of SGD in each round, by NVFLARE's Client API."""

import nvflare.client as flare
import torch
from digits import LEARNING_RATE, DigitNetwork, batch_of, tensor_of  # type: ignore[import-not-found]  # it lies beside this script
from torch.nn.functional import cross_entropy


def main() -> None:
    """Train in every round until the server ends the run."""
    flare.init()
    network, site = DigitNetwork(), flare.get_site_name()
    while flare.is_running():
        model = flare.receive()
        network.load_state_dict({name: torch.as_tensor(value).clone() for name, value in model.params.items()})
        images, labels = batch_of(site, model.current_round)
        optimiser = torch.optim.SGD(network.parameters(), LEARNING_RATE)
        optimiser.zero_grad()
        loss = cross_entropy(network(tensor_of(images)), torch.tensor(labels))
        loss.backward()
        optimiser.step()
        flare.send(flare.FLModel(params=network.state_dict(), metrics={"loss": float(loss)}))


if __name__ == "__main__":
    main()
