"""What each task is, and what its slots are filled with: told to the model that writes."""

_SAME_THING = (
    "a new picture is made, by a caption, of the very thing that the reference pictures show; place"
    " and pose are not theirs"
)
_SAME_PERSON = _SAME_THING.replace("thing", "person")
TASKS = {  # by dataset
    "natural": "a picture is made from its caption alone",
    "wikiart": "a painting is made from its caption alone",
    "depth_webli": "a picture is made from a caption and a depth map: near is bright, far is dark;"
    " layout, distances and volumes are those of the map, all else is free",
    "mask_webli": "a picture is made from a caption and a mask: white is the main object, whose"
    " outline, place and size are kept; all else is free",
    "edge_webli": "a picture is made from a caption and an edge image, white lines on black:"
    " contours are kept, all else is free",
    "sketch2image": "a picture is made from a caption and a rough hand drawing, whose shapes and"
    " pose are followed",
    "suti": _SAME_THING,
    "celeba": _SAME_PERSON,
    "celeba_hq": _SAME_PERSON,
    "styled": "what a caption says is painted in the manner (palette, brushwork, texture) of a"
    " reference, without the reference's content",
    "style_transfer": "a content image keeps its layout and its objects and takes on the manner"
    " (palette, brushwork, texture) of a style reference",
}
_WEB = (
    '"a red bus parked by a fence", "white house real estate", "My old bus & more side view...",'
    ' "Two dogs run on a beach."'
)
CAPTIONS = {
    "natural": _WEB,
    "wikiart": '"Mountain brook, Impressionism painting by John Sargent", "A Lady with a fan."',
    "depth_webli": _WEB,
    "mask_webli": _WEB,
    "edge_webli": _WEB,
    "sketch2image": _WEB,
    "suti": '"a photo of a backpack", "the backpack on a rock by the sea"',
    "celeba": '"a smiling woman with brown hair and glasses"',
    "celeba_hq": '"a smiling woman with brown hair and glasses"',
    "styled": '"a pair of shorts", "a fox in snow"',
}
ROLES = {
    "depth": '"[ref#1] depth map"',
    "mask": '"[ref#1] object mask"',
    "edge": '"[ref#1] edge image"',
    "sketch": '"[ref#1] sketch"',
    "subject": 'the noun of the thing: "[ref#1] backpack", "[ref#1] stuffed animal"; one or more'
    " pictures stand under it",
    "face": '"[ref#1] face" or "[ref#1] person"; one or more pictures stand under it',
    "style": 'the name of the style, or painting: "[ref#1] Impressionism", "[ref#1] painting";'
    ' write "in the style of {ref#1}", "the look of {ref#1}"',
    "content": '"[ref#2] content image"',
}
SLOTS = {"style": "the style's name", "artist": "the painter's name"}
RULES = (
    "It is correct for the task, and says nothing that the rows do not hold: no photo, portrait,"
    " oil, outdoors, colourful, high resolution, photorealistic. It has no words of other tasks.",
    "It is good English whatever fills the slots. No a or an before a slot; no word or letter glued"
    " to one.",
    "No names of artists or brands, no emoji, no profanity, no square brackets, and no curly braces"
    " but those of the slots. English, British or American.",
    "It says what a person would who wants such a picture: nothing about templates, slots, models"
    " or these rules.",
)
CAPTION_RULE = (
    "A caption may be a noun phrase, a sentence or a scrap, singular or plural, and may end in"
    " dots: set it off by a colon, quotation marks, a dash or a line of its own, or let it be the"
    " object of show, paint, depict or draw. It is never the subject of a verb, has no article or"
    " possessive before it, and is never made plural."
)
