"""Training of the network that cuts singing into notes.

``python -m model_zoo.training.singing prepare`` renders melodies whose notes are known, ``train``
learns from them, ``export`` ships what was learnt. In the order in which data flow:
:mod:`.residue` leaves some of a band with a singer, :mod:`.prepare` draws melodies, makes them
sound and keeps what the network hears of them, :mod:`.dataset` and :mod:`.train` learn, :mod:`.dev`
measures, :mod:`.export` chooses the costs of notes.
"""
