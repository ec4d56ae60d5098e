"""Training of the network that tags notes.

``python -m model_zoo.training.tagger train`` renders music and learns from it in one run;
``sample`` writes rendered examples to listen to and look at. The modules, in the order of the data:
:mod:`.scene` chooses music and instruments, :mod:`.render` turns a scene into sound with exact
labels (:mod:`.take`), :mod:`.dataset` cuts and damages it in worker processes, :mod:`.targets`
draws the targets, :mod:`.losses` holds the losses, :mod:`.train` trains, :mod:`.families` trains
the head of families alone, :mod:`.export` and :mod:`.thresholds` prepare weights for serving.
:mod:`.timbre` trains the network that rates families by the partials of notes.
It and :mod:`.families` learn from notes that :mod:`.stored` keeps.
"""
