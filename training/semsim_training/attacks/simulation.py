"""The client's computation as an attack repeats it: images and labels to an update, differentiable by the images."""

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.shared_weights import SharedWeightGradients
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.observation import Observation


def simulation(observation: Observation) -> SharedWeightGradients | LocalStepDeltas:
    """The client's computation: by shared weights for a gradient or one local step where the layers allow it."""
    model, images = observation.victim.model, observation.images
    train_batchnorm = observation.batchnorm == "train"
    training = observation.update.local_training
    if training is not None and training.steps(images) > 1:
        return LocalStepDeltas(model, images, training, train_batchnorm=train_batchnorm)
    try:
        return SharedWeightGradients(model, images, train_batchnorm=train_batchnorm)
    except InvalidVictim:  # a layer of a kind unknown to it
        whole = LocalTraining(learning_rate=1.0, batch_size=images)
        return LocalStepDeltas(model, images, whole, train_batchnorm=train_batchnorm, sign=-1.0)
