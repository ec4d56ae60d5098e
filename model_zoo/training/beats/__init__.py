"""Training of the network that predicts beats and downbeats.

``python -m model_zoo.training.beats prepare`` renders music whose beats are known;
``python -m model_zoo.training.beats train`` learns from it. The modules, in the order of the data:
:mod:`.timing` performs written music, :mod:`.leadsheets` accompanies melodies, :mod:`.arrange` and
:mod:`.drums` choose instruments, :mod:`.prepare` draws from the sources, renders, and stores
features, :mod:`.dataset` cuts and augments excerpts, :mod:`.train` trains.
"""
