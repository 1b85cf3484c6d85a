"""Licence texts as met on the web, and whether each is known to allow commercial use."""

import pytest

from instruct_imagen_data.licences import allows_commercial_use

ALLOWED = [
    "CC0", "CC0 1.0", "CC-0", "cc0-1.0", "CC0 1.0 Universal", "Creative Commons Zero",
    "https://creativecommons.org/publicdomain/zero/1.0/", "Public Domain", "public domain",
    "Public domain mark 1.0", "https://creativecommons.org/publicdomain/mark/1.0/", "PDM", "PD",
    "CC BY 2.0", "CC BY 4.0", "CC-BY 4.0", "CC-BY-SA 4.0", "CC-BY-4.0", "cc-by-3.0", "CC BY",
    "cc_by_4.0",
    "Creative Commons Attribution 4.0 International", "Attribution 2.0 Generic",
    "Creative Commons Attribution-ShareAlike 3.0 Unported", "Attribution License",
    "CC BY-SA 4.0", "CC-BY-SA-3.0", "CC BY-SA 3.0 de", "Creative Commons BY-SA 4.0",
    "https://creativecommons.org/licenses/by/2.0/", "http://creativecommons.org/licenses/by-sa/4.0",
    "https://creativecommons.org/licenses/by/4.0/deed.en", "MIT", "MIT License", "The MIT License",
    "Apache-2.0", "Apache License 2.0", "Apache 2", "Apache License, Version 2.0", "BSD-3-Clause",
    "3-clause BSD", "Unlicense", "No known copyright restrictions",
    "CC BY 4.0; Apache-2.0; CC0",
]  # fmt: skip
REFUSED = [
    "", " ", "?", "unknown", "n/a", "none", "null", "-", "All rights reserved", "© 2019 A. Smith",
    "ALL RIGHTS RESERVED.", "Copyright John Doe", "copyrighted", "CC BY-NC 4.0", "CC-BY-NC-SA-4.0",
    "cc by nc", "by-nc-nd", "CC BY-ND 2.0", "CC-BY-NC-ND 3.0",
    "https://creativecommons.org/licenses/by-nc/2.0/",
    "https://creativecommons.org/licenses/by-nd/4.0/deed.en",
    "http://creativecommons.org/licenses/by-nc-sa/2.0/",
    "Attribution-NonCommercial 2.0 Generic", "Attribution-NoDerivs License",
    "Creative Commons Attribution-NonCommercial-ShareAlike", "Attribution - No Derivatives",
    "non-commercial use only", "noncommercial", "for research only", "Research use", "academic use",
    "non-commercial research", "educational use", "editorial use only", "personal use", "fair use",
    "free", "free to use", "royalty free", "Unsplash License", "Pexels", "Getty",
    "rights-managed", "MIT-style",
    "GPL", "GPL-3.0", "LGPL-2.1", "AGPL", "GFDL", "CreativeML OpenRAIL-M", "proprietary",
    "MIT, but not for commercial use", "CC BY 4.0 except the logo", "cc", "creative commons",
    "see website", "CC-BY-4.0; ?", "CC0; CC BY-NC 4.0", "CC BY 4.0;", "mit ohne gewähr",
    "commercial licence available", "CC BY 4.0 for academic use", "public domain?", "not MIT",
]  # fmt: skip


@pytest.mark.parametrize("text", ALLOWED)
def test_known_to_allow(text: str) -> None:
    assert allows_commercial_use(text)
    assert allows_commercial_use(f"  {text.upper() if '://' not in text else text} ")


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    assert not allows_commercial_use(text)
