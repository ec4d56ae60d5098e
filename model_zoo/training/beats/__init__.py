"""Training of the network that hears beats and downbeats.

``python -m model_zoo.training.beats prepare`` renders music whose beats are known;
``python -m model_zoo.training.beats train`` learns from it. See the modules, in that order:
:mod:`.timing` performs written music, :mod:`.leadsheets` accompanies melodies, :mod:`.arrange` and
:mod:`.drums` give instruments, :mod:`.prepare` draws from the sources, makes it all sound and keeps
its features, :mod:`.dataset` and :mod:`.train` learn.
"""
