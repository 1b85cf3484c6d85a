"""Source sets of stage 2 that lie in folders: what their layouts say of each picture.

A layout is a function of a folder that gives a `Listing`: groups of pictures that belong together,
each with what the folder tells about it. Nothing is opened here but lists and captions.
"""

from instruct_imagen_data.sources.listing import Group, Listing, Picture

__all__ = ["Group", "Listing", "Picture"]
