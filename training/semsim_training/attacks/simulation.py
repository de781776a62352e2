"""The client's computation as an attack repeats it: images and labels to an update, differentiable by the images."""

from semsim_training.gradients.client_gradients import ClientGradients, chosen_path, client_gradients
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.looped_clients import LoopedClientGradients
from semsim_training.observations.observation import Observation

Simulation = ClientGradients | LocalStepDeltas


def simulation(observation: Observation) -> Simulation:
    """The client's computation, by the fastest path that a trial on the victim finds right.

    Raises:
        InvalidVictim: no path is right; the message names the layer.
    """
    model, images, shape = observation.victim.model, observation.images, observation.victim.inputs.shape
    train_batchnorm = observation.batchnorm == "train"
    training = observation.update.local_training
    if training is None or observation.gradient is not None:
        return client_gradients(model, images, shape, train_batchnorm=train_batchnorm)
    step = min(images, training.batch_size)
    one = chosen_path(model, step, shape, train_batchnorm=train_batchnorm)
    vectorised = one.kind is not LoopedClientGradients
    return LocalStepDeltas(model, images, training, train_batchnorm=train_batchnorm, vectorised=vectorised)
