"""The client's computation as an attack repeats it: images and labels to an update, differentiable by the images."""

from semsim_training.gradients.client_gradients import ChosenPath, ClientGradients, chosen_path, client_gradients
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.looped_clients import LoopedClientGradients
from semsim_training.observations.observation import Observation

Simulation = ClientGradients | LocalStepDeltas


def simulation(observation: Observation, clients: int | None = None) -> Simulation:
    """The client's computation, by the fastest path that a trial on the victim finds right.

    ``clients`` is the number of clients in every call, where it is known: the path may be another for one alone.

    Raises:
        InvalidVictim: no path is right; the message names the layer.
    """
    model, images, train_batchnorm = observation.victim.model, observation.images, observation.batchnorm == "train"
    training = observation.update.local_training
    if training is None or observation.gradient is not None:
        shape = observation.victim.inputs.shape
        return client_gradients(model, images, shape, train_batchnorm=train_batchnorm, alone=clients == 1)
    vectorised = tried_path(observation).kind is not LoopedClientGradients
    return LocalStepDeltas(model, images, training, train_batchnorm=train_batchnorm, vectorised=vectorised)


def tried_path(observation: Observation) -> ChosenPath:
    """The path of one gradient or local step, which a trial on the victim found right; tried once for each victim.

    Raises:
        InvalidVictim: no path is right; the message names the layer.
    """
    training, images = observation.update.local_training, observation.images
    if training is not None and observation.gradient is None:
        images = min(images, training.batch_size)
    return chosen_path(
        observation.victim.model,
        images,
        observation.victim.inputs.shape,
        train_batchnorm=observation.batchnorm == "train",
    )
