"""From clients' images to the metric and its faithfulness. The rooms, in the order in which data passes through them:

* ``images``: labelled images, and how a client augments them
* ``victims``: the classifiers that clients train
* ``gradients``, ``defenses``: what a client computes from its images, and what it does to its update
* ``observations``: what an attacker sees of that
* ``attacks``: from observations to reconstructions
* ``reconstructions``: grids of settings, and the sets of reconstructions that come of them
* ``recognition``, ``annotation``: who judges reconstructions: classifiers, people, vision models
* ``judged``: reconstructions with their judgements
* ``metric``: SemSim, trained on judged sets
* ``reference_metrics``, ``faithfulness``: other metrics, and how far each agrees with annotators

``commands`` is the command line. ``statistics`` and the modules at the top are what several rooms build on; ``backbones``,
``embedding`` and ``checkpoint`` are the metric's network, which the export reads, too.
"""
