"""What goes with a corpus of instructions: a dataset card and Croissant metadata."""

from instruct_imagen_data.card.facts import Corpus, Facts, gather
from instruct_imagen_data.card.write import CROISSANT, README, write

FILES = (README, CROISSANT)

__all__ = ["FILES", "Corpus", "Facts", "gather", "write"]
