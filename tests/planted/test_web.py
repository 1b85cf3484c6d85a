"""The plan of a planted web: shares, copies, addresses and look-alikes. No pixels."""

from collections import Counter, defaultdict

import pytest

from instruct_imagen_data import keys
from instruct_imagen_data.planted.web import COPY_KINDS, DEFECTS, GENERIC_CAPTION, Planned, plan
from instruct_imagen_data.planted.world import DOMAINS, REJECT_CLASSES


@pytest.fixture(scope="module", params=[(600, 0), (600, 7), (2000, 1)])
def web(request: pytest.FixtureRequest) -> list[Planned]:
    pairs, seed = request.param
    planned = plan(pairs, seed)
    assert len(planned) == pairs
    return planned


def test_the_mix(web: list[Planned]) -> None:
    whole = [one for one in web if one.defect is None]
    assert len(web) - len(whole) == round(0.07 * len(web))
    assert sum(one.copy_kind is not None for one in web) == round(0.10 * len(web))
    rejects = Counter(one.reject_class for one in web if one.reject_class)
    assert set(rejects) == set(REJECT_CLASSES)
    assert sum(rejects.values()) == round(0.07 * len(web))
    bad = sum(one.degradation is not None for one in whole) / len(whole)
    assert 0.12 < bad < 0.20
    for kinds in ("defect", "copy_kind", "degradation"):
        counts = Counter(getattr(one, kinds) for one in web if getattr(one, kinds))
        assert max(counts.values()) - min(counts.values()) <= 1
    assert {one.defect for one in web if one.defect} == set(DEFECTS)
    assert {one.copy_kind for one in web if one.copy_kind} == set(COPY_KINDS)


def test_every_entity_has_six_to_twelve_views_over_all_domains(web: list[Planned]) -> None:
    views = defaultdict(list)
    for one in web:
        if one.entity and one.defect is None and one.copy_of is None:
            views[one.entity].append(one.view_index)
    assert len(views) >= 40 * len(web) / 600
    assert {entity.domain for entity in views} == set(DOMAINS)
    for seen in views.values():
        assert 6 <= len(seen) <= 12
        assert len(set(seen)) == len(seen)


def test_a_copy_names_a_good_original(web: list[Planned]) -> None:
    by_number = {one.number: one for one in web}
    for one in (one for one in web if one.copy_of is not None):
        original = by_number[one.copy_of or 0]
        assert original.copy_of is None
        assert original.defect is None
        assert original.degradation is None
        assert (one.entity, one.view_index) == (original.entity, original.view_index)
        assert (one.copy_kind == "same_caption") <= (one.caption == original.caption)
        same_address = keys.normalise_url(one.url) == keys.normalise_url(original.url)
        assert same_address == (one.copy_kind == "same_url"), (one.url, original.url)
        if one.copy_kind == "same_url":
            assert one.url != original.url
        if one.copy_kind == "resized":
            assert keys.site_file(one.url) == keys.site_file(original.url)


def test_addresses_are_unique_but_for_copies(web: list[Planned]) -> None:
    counts = Counter(keys.normalise_url(o.url) for o in web if o.copy_kind != "same_url")
    assert max(counts.values()) == 1


def test_look_alikes_are_no_copies(web: list[Planned]) -> None:
    traps = defaultdict(list)
    for one in web:
        if one.trap:
            assert one.copy_of is None
            assert one.degradation is None
            traps[one.trap].append(one)
    assert len(traps["generic_caption"]) > 3
    assert {one.caption for one in traps["generic_caption"]} == {GENERIC_CAPTION}
    twins = Counter(one.caption for one in traps["shared_caption"])
    assert set(twins.values()) == {2}
    files = Counter(keys.site_file(one.url) for one in traps["shared_file_name"])
    assert files.most_common(1)[0][1] >= 2
    assert all(name.endswith("/image.jpg") for name in files)


def test_keys_follow_img2dataset_and_shards_hold_about_a_hundred(web: list[Planned]) -> None:
    assert [one.key for one in web] == sorted({one.key for one in web})
    shards = Counter(one.shard for one in web)
    assert all(80 <= count <= 120 for count in shards.values())
    for one in web:
        assert one.shard == one.key[:5] + ".tar"
        assert one.origin == f"{one.shard}#{one.key}"
        assert len(one.key) == 9


def test_a_seed_and_a_size_fix_the_plan() -> None:
    assert plan(120, 3) == plan(120, 3)
    first, other = plan(120, 3), plan(120, 4)
    assert not {one.url for one in first if one.entity} & {one.url for one in other if one.entity}


@pytest.mark.parametrize("pairs", [1, 2, 5, 17, 60])
def test_small_webs_are_possible(pairs: int) -> None:
    assert len(plan(pairs, 0)) == pairs
