"""The gradients and weight deltas of many independent clients in one graph, differentiable by their images.

``update`` is what a client sends. ``shared_weights`` computes gradients, ``local_steps`` weight deltas. Their layers
are in ``convolution``, ``winograd``, ``affine`` and ``batchnorm``, partly in C++ (``native``).
"""
