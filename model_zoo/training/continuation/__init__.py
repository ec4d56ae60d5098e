"""Training and evaluation of continuations: probabilities of grammars, learnt from corpora.

:mod:`.corpora` lists the songs; a module for each corpus converts them to scores.
"""
