"""What goes with a corpus of instructions: a dataset card and Croissant metadata."""

from instruct_imagen_data.card.facts import Corpus, Facts, gather
from instruct_imagen_data.card.write import CROISSANT, README, is_foreign, write

FILES = (README, CROISSANT)

__all__ = ["FILES", "README", "Corpus", "Facts", "gather", "is_foreign", "write"]
