"""Evaluates the note tagger beside its peers: ``python -m model_zoo.training.evaluate``.

:mod:`.sets` provides labelled recordings, :mod:`.systems` the taggers, :mod:`.metrics` the metrics.
:mod:`.summary` aggregates clips into figures, :mod:`.targets` compares these with targets,
:mod:`.speed` measures time and memory, and :mod:`.report` formats the results.
"""
