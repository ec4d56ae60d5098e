"""Training of the network that hears beats and downbeats.

``python -m model_zoo.training.beats prepare`` renders music whose beats are known;
``python -m model_zoo.training.beats train`` learns from it. See the modules, in that order:
:mod:`.corpora` and :mod:`.leadsheets` read music, :mod:`.timing` performs written music,
:mod:`.arrange` and :mod:`.drums` give it instruments, :mod:`.sound` makes it sound,
:mod:`.prepare` keeps its features, :mod:`.dataset` and :mod:`.train` learn.
"""
