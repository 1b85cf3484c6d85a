"""Where objects are met: each setting gives an empty backdrop."""

from collections.abc import Callable

from instruct_imagen_data.planted.settings.frame import Backdrop, Frame
from instruct_imagen_data.planted.settings.indoors import room, studio, table
from instruct_imagen_data.planted.settings.outdoors import (
    meadow,
    plaza,
    railway,
    road,
    savanna,
    snowfield,
    woodland,
)
from instruct_imagen_data.planted.settings.water import air, beach, sea, underwater

SETTINGS: dict[str, Callable[[Frame], Backdrop]] = {
    "studio": studio,
    "room": room,
    "table": table,
    "meadow": meadow,
    "woodland": woodland,
    "snowfield": snowfield,
    "beach": beach,
    "savanna": savanna,
    "road": road,
    "railway": railway,
    "plaza": plaza,
    "sea": sea,
    "air": air,
    "underwater": underwater,
}
