"""Training of the network that predicts beats and downbeats, and of the comparison of readings.

``python -m model_zoo.training.beats prepare`` renders music whose beats are known, ``train`` learns
from it, and ``fit`` fits the parameters of the readings to its development part. The modules, in
the order of the data: :mod:`.timing` performs written music, :mod:`.leadsheets` and :mod:`.band`
accompany melodies, :mod:`.arrange`, :mod:`.drums` and :mod:`.swing` choose who plays what,
:mod:`.mix` renders, :mod:`.prepare` draws from the sources and stores features, :mod:`.dataset`
cuts and augments excerpts, :mod:`.train` trains, :mod:`.readings` fits.
"""
