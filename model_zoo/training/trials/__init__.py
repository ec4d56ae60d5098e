"""Numbered experiments about the note tagger: what it should see, hear and be made of.

``python -m model_zoo.training.trials NAME`` runs one, prints its table as Markdown and draws its
plot; the records in ``model_zoo/experiments`` say what was found. :mod:`.material` holds what small
networks learn from, :mod:`.clips` the recordings that are measured on, :mod:`.network` and
:mod:`.harness` the networks and their training.
"""
