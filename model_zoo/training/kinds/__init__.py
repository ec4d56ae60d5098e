"""Trains the network that recognises the kind of a recording.

``python -m model_zoo.training.kinds prepare`` describes recordings and rendered scenes,
``train`` fits the network, ``measure`` prints a confusion table of recordings that were not fitted.
"""
