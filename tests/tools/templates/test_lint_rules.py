"""Rules about one template, each by examples; and English that only looks wrong."""

import pytest

from instruct_imagen_data import tasks
from instruct_imagen_data.tools.templates.lint import leaks, rules
from instruct_imagen_data.tools.templates.lint.lists import families


def names(text: str, dataset: str) -> set[str]:
    """Rules that find something in a text."""
    return {rule for rule, _ in rules.faults(text, dataset)}


@pytest.mark.parametrize(
    ("rule", "dataset", "text"),
    [
        ("slots", "depth_webli", "Paint a red bus along the {ref#1}."),
        ("slots", "depth_webli", "Paint {caption} with the layout of the map."),
        ("slots", "depth_webli", "Paint {capton} along the {ref#1}."),
        ("slots", "depth_webli", "Paint {caption} along the {ref#2}."),
        ("slots", "depth_webli", "Paint {caption} along the {ref1}."),
        ("slots", "depth_webli", "Paint {caption} along the {ref#1} by {artist}."),
        ("slots", "depth_webli", "Paint {{caption}} along the {ref#1}."),
        ("slots", "depth_webli", "Paint {caption along the {ref#1}."),
        ("slots", "depth_webli", "Paint {caption} along the {ref#1}, or [ref#1]."),
        ("slots", "depth_webli", "Paint {caption} along the {ref#1}, that is ref#1."),
        ("slots", "style_transfer", "Paint {caption} over {ref#2} after {ref#1}."),
        ("slots", "style_transfer", "Paint something after {ref#1}."),
        ("slots", "natural", "Paint something."),
        ("caption", "natural", "Paint {caption}. Once more: {caption}"),
        ("article", "natural", "Paint a {caption}."),
        ("article", "natural", "Paint The {caption}."),
        ("article", "natural", "Paint my {caption}."),
        ("article", "natural", "Paint a lovely {caption}."),
        ("article", "suti", "Put an {ref#1} into this: {caption}"),
        ("article", "suti", "Put these {ref#1} into this: {caption}"),
        ("article", "suti", "Put another {ref#1} into this: {caption}"),
        ("article", "suti", "Have a {mark#1} in this: {caption}"),
        ("article", "styled", "Make a {style} picture like {ref#1}: {caption}"),
        ("plural", "natural", "Paint many of {caption}s."),
        ("plural", "natural", "Paint {caption}'s best side."),
        ("plural", "suti", "The {ref#1}'s colours stay. {caption}"),
        ("plural", "suti", "The {ref#1}s stay. {caption}"),
        ("glued", "natural", "Paint{caption}."),
        ("glued", "natural", "Paint {caption}now."),
        ("glued", "suti", "{ref#1}{caption}"),
        ("glued", "suti", "A {ref#1}-like thing: {caption}"),
        ("subject", "natural", "Where {caption} is, paint it."),
        ("subject", "natural", "{caption} stands in the middle."),
        ("subject", "natural", "{caption} should fill the view."),
        ("style_name", "styled", "Paint {caption} like the {ref#1}."),
        ("style_name", "style_transfer", "Do the {ref#2} over with my {ref#1} and nothing else."),
        ("roles", "style_transfer", "Bring the style of the {ref#2} to {ref#1}."),
        ("roles", "style_transfer", "Show {ref#1}, but in {ref#2} style."),
        ("characters", "natural", "Paint\t{caption}"),
        ("characters", "natural", "Paint\u00a0{caption}"),
        ("characters", "natural", "P\u0430int {caption}"),
        ("characters", "natural", "Paint \u202e{caption}"),
        ("characters", "natural", "Paint {caption} \U0001f600"),
        ("spacing", "natural", "Paint  {caption}"),
        ("spacing", "natural", " Paint {caption}"),
        ("spacing", "natural", "Paint {caption}\n"),
        ("spacing", "natural", "Paint this: \n{caption}"),
        ("spacing", "natural", "Paint, now , {caption}"),
        ("spacing", "natural", "Paint {caption} ."),
        ("spacing", "natural", "Paint,please, {caption}"),
        ("spacing", "natural", 'Paint,"{caption}"'),
        ("spacing", "natural", "Paint:{caption}"),
        ("spacing", "natural", "Paint it.Show {caption}"),
        ("doubled", "natural", "Paint paint {caption}"),
        ("doubled", "suti", "Take the the {ref#1}: {caption}"),
        ("doubled", "suti", "Take my the {ref#1}: {caption}"),
        ("doubled", "natural", "Paint,, please, {caption}"),
        ("doubled", "natural", "Paint it.. Show {caption}"),
        ("quotes", "natural", 'Paint "{caption}'),
        ("quotes", "natural", "Paint “{caption}"),
        ("quotes", "natural", "Paint '{caption} now"),
        ("quotes", "natural", "Paint {caption}' now"),
        ("quotes", "natural", "Paint (please {caption}"),
        ("quotes", "natural", "Paint please) {caption}"),
        ("quotes", "natural", 'Paint "", then {caption}'),
        ("quotes", "natural", "Paint [{caption}]"),
        ("case", "natural", "Paint {caption}. keep it simple."),
        ("case", "natural", "paint {caption}. Keep it simple."),
        ("a_or_an", "natural", "Make a image: {caption}"),
        ("a_or_an", "natural", "Make an picture: {caption}"),
        ("ending", "natural", "Paint {caption},"),
        ("ending", "natural", "Paint {caption} and the"),
        ("leak", "natural", "Paint {caption} after the reference."),
        ("leak", "edge_webli", "Paint {caption} by the depth of the {ref#1}."),
        ("leak", "depth_webli", "Paint {caption} in the style of the {ref#1}."),
        ("leak", "mask_webli", "Paint {caption} over my {ref#1}, a rough drawing."),
        ("leak", "suti", "Show the face of the {ref#1}: {caption}"),
        ("leak", "styled", "Fill the silhouette after {ref#1}: {caption}"),
        ("claim", "natural", "A masterpiece: {caption}"),
        ("claim", "depth_webli", "A photo along the {ref#1}: {caption}"),
        ("claim", "celeba", "In high resolution, the {ref#1}: {caption}"),
        ("profanity", "natural", "Paint the damned thing: {caption}"),
    ],
)
def test_a_fault_is_found(rule: str, dataset: str, text: str) -> None:
    assert rule in names(text, dataset)


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ("natural", "{caption}"),
        ("natural", "hey, can u draw {caption}? thanks. i owe you"),
        ("natural", "Take \"{caption}\" at face value, e.g. as a title, and paint it."),
        ("natural", "Text: text to be shown\n\nTitle: {caption}"),
        ("natural", "An hour, a one-off, a user, an honest try: {caption}"),
        ("natural", "1) Read it. 2) Paint it. It is this: {caption}"),
        ("natural", "Show what this line says ... {caption}"),
        ("natural", "'{caption}' is what I'd like to see, isn't it?"),
        ("natural", "Where “{caption}” should stand, a picture is missing. Paint it!"),
        ("natural", "Exhibit A is described as follows: {caption}"),
        ("natural", "Café scene or not, à la carte: {caption} — at 16:9, i.e., wide."),
        ("wikiart", "In {style}: {caption}"),
        ("wikiart", "After {artist}'s manner, in the style of {style}: {caption}"),
        ("celeba", "Another photo of the {ref#1}: {caption}"),
        ("celeba", "Keep {mark#1}'s features. Caption: {caption}"),
        ("suti", "Is this the {ref#1}? Give the {ref#1} this: {caption}"),
        ("mask_webli", "Fill the outline of the {ref#1}: {caption}"),
        ("edge_webli", "Fill the outlines of the {ref#1}: {caption}"),
        ("styled", "The {ref#1} style, its brushwork: {caption}"),
        ("styled", "With the {ref#1} example and your \"{ref#1}\" skills: {caption}"),
        ("style_transfer", "{ref#2}, but as {ref#1} has it"),
        ("style_transfer", "Style: {ref#1}, content: {ref#2}, nothing else"),
    ],
)  # fmt: skip
def test_good_english_is_left_alone(dataset: str, text: str) -> None:
    assert not list(rules.faults(text, dataset))


def test_a_swear_word_is_not_spelled_out() -> None:
    assert list(rules.faults("Paint the Damned thing: {caption}", "natural")) == [
        ("profanity", "d*****")
    ]


def test_a_message_shows_the_place() -> None:
    ((_, message),) = rules.faults("Show a lovely {caption} in the morning light.", "natural")
    assert message == (
        "a caption stands where a noun should: set it off: 'Show a lovely {caption} in the morn'"
    )


def test_every_task_and_family_has_its_words() -> None:
    assert set(leaks.SPEAKS_OF) == set(tasks.TASKS)
    spoken = {name for one in (leaks.SPEAKS_OF, leaks.ALSO) for own in one.values() for name in own}
    assert spoken == set(families())
    assert set(leaks.ALSO) | leaks.PHOTOGRAPHED <= set(tasks.DATASETS)
