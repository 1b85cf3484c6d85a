"""The planted web: pictures, captions and truths rendered from a seed."""

from instruct_imagen_data.planted.captions import caption
from instruct_imagen_data.planted.degrade import DEGRADATIONS, degrade
from instruct_imagen_data.planted.pages import reject_picture
from instruct_imagen_data.planted.scene import View
from instruct_imagen_data.planted.tars import plant
from instruct_imagen_data.planted.views import render
from instruct_imagen_data.planted.web import COPY_KINDS, DEFECTS
from instruct_imagen_data.planted.world import DOMAINS, NOUNS, REJECT_CLASSES, Entity, entities

__all__ = [
    "COPY_KINDS",
    "DEFECTS",
    "DEGRADATIONS",
    "DOMAINS",
    "NOUNS",
    "REJECT_CLASSES",
    "Entity",
    "View",
    "caption",
    "degrade",
    "entities",
    "plant",
    "reject_picture",
    "render",
]
