"""The training script of the example: one step of SGD in each round, by NVFLARE's Client API.

``--noisy SITE`` names a client that adds noise to its changes.
"""

import argparse
import secrets

import nvflare.client as flare
import torch
from digits import LEARNING_RATE, DigitNetwork, batch_of, tensor_of  # type: ignore[import-not-found]  # it lies beside this script
from torch.nn.functional import cross_entropy

from semsim_training.defenses.defense import Defense
from semsim_training.defenses.rules import defend


def main() -> None:
    """Train in every round until the server ends the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noisy", default="")
    noisy = parser.parse_args().noisy
    flare.init()
    network, site = DigitNetwork(), flare.get_site_name()
    while flare.is_running():
        model = flare.receive()
        before = {name: torch.as_tensor(value).clone() for name, value in model.params.items()}
        network.load_state_dict(before)
        images, labels = batch_of(site, model.current_round)
        optimiser = torch.optim.SGD(network.parameters(), LEARNING_RATE)
        optimiser.zero_grad()
        loss = cross_entropy(network(tensor_of(images)), torch.tensor(labels))
        loss.backward()
        optimiser.step()
        after = network.state_dict()
        if site == noisy:
            change = {name: value - before[name] for name, value in after.items()}
            noisy_change = defend(change, Defense("gaussian:0.003"), secrets.randbits(63))
            after = {name: before[name] + value for name, value in noisy_change.items()}
        flare.send(flare.FLModel(params=after, metrics={"loss": float(loss)}))


if __name__ == "__main__":
    main()
