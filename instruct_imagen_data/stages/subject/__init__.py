"""Several pictures of one subject: one of them is the target, the others are references.

Source: paper, section 3.2 (SuTI's clusters of one subject; faces by identity). Groups come out of
folders that name their subject (`folder`), or of a corpus' pages, whose pictures must be alike
enough to show one thing, and not too alike (`page`; FACTS 56).
"""

from instruct_imagen_data.stages.subject.folder import folder_block
from instruct_imagen_data.stages.subject.group import Recipe, Rules
from instruct_imagen_data.stages.subject.page import page_block

ROLES = ("image_text",)

__all__ = ["ROLES", "Recipe", "Rules", "folder_block", "page_block"]
