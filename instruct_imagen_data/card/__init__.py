"""What goes with a corpus of instructions: a dataset card and Croissant metadata."""

from instruct_imagen_data.card.facts import Corpus, Facts, gather
from instruct_imagen_data.card.write import write

__all__ = ["Corpus", "Facts", "gather", "write"]
