"""Training of the network that cuts singing into notes.

``python -m model_zoo.training.singing prepare`` renders melodies whose notes are known, ``train``
learns from them, ``export`` writes the weights for serving. The modules, in the order of the data:
:mod:`.residue` imitates what a separator leaves of a band, :mod:`.prepare` draws and renders
melodies and stores their features, :mod:`.dataset` cuts excerpts, :mod:`.train` trains,
:mod:`.dev` evaluates, :mod:`.export` chooses the decoder's costs.

``prior`` learns something else from the same scores: how melodies move in their keys
(:mod:`.prior`), by which the pitches that a singer meant are decoded.
"""
