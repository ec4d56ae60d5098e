"""Numbered experiments for the note tagger: spectrograms, architectures, augmentation, noise.

``python -m model_zoo.training.trials NAME`` runs one, prints its table as Markdown and draws its
plot; the records in ``model_zoo/experiments`` hold the results. :mod:`.material` holds the training
examples of the small networks, :mod:`.clips` the recordings for evaluation, :mod:`.network` and
:mod:`.harness` the networks and their training.
"""
