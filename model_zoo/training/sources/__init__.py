"""Sources of training music: a module for each, all of which yield a :class:`.piece.Piece`."""
