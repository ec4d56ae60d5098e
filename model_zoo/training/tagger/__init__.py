"""Training of the network that tags notes.

``python -m model_zoo.training.tagger train`` renders music and learns from it at once;
``sample`` renders one example to hear and to look at. In the order in which data flow:
:mod:`.scene` chooses music and who plays it, :mod:`.take` makes it sound and says exactly what
sounded, :mod:`.dataset` cuts, damages and batches it in processes of its own, :mod:`.targets`
draws what the network should answer, :mod:`.losses` compares, :mod:`.train` learns.
"""
