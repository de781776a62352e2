"""The training of the metric, from clients' images to its faithfulness.

Data passes through the rooms in this order:

* ``client_images``: labelled images, and how clients augment them
* ``victims``: the classifiers that clients train
* ``gradients``, ``defenses``: what a client computes from its images, and what it does to its update
* ``observations``: what an attacker sees of a client
* ``attacks``: from observations to reconstructions
* ``reconstructions``: grids of settings, and the sets of their reconstructions
* ``annotation``, ``recognition``: annotators, who judge reconstructions, and classifiers that stand in for them
* ``judged``: reconstruction sets with their judgements
* ``metric``: SemSim, trained on judged sets
* ``reference_metrics``, ``faithfulness``: other metrics, and how far each metric agrees with annotators

``subcommands`` is the command line. ``statistics`` and the modules at the top serve several rooms; of these
``backbones``, ``embedding`` and ``checkpoint`` are the metric's network, which the export reads, too.
"""
