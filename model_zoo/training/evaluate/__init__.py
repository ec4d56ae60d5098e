"""How well the note tagger hears, beside others: ``python -m model_zoo.training.evaluate``.

:mod:`.sets` are recordings with labels, :mod:`.systems` what hears them, :mod:`.metrics` compares,
:mod:`.summary` gathers clips into figures, :mod:`.targets` says what is asked of them,
:mod:`.speed` measures time and memory, :mod:`.report` writes it all down.
"""
