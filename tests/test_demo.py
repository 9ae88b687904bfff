"""Generated pictures in the embedded database: drawn once, drawn anew when they would differ, never among real ones."""

from conftest import insert, label

from lib.common import config
from lib.data import demo, ingest
from lib.storage import tables


def test_fill_draws_once_and_only_what_is_missing(make_job, quick_pictures):
    job = make_job(data__generate=6, data__generate_width=320, data__generate_height=240)
    assert demo.fill_table(job) == 6
    rows = tables.snapshot(job).rows
    assert rows[0]["image"] == "D:\\Cores\\Albion\\HOLE-001\\corners_0000.JPG" and rows[0]["group"] == "Albion"
    assert demo.fill_table(job) == 0
    next(demo.folder(job).rglob("*.JPG")).unlink()
    assert demo.fill_table(job) == 1
    assert tables.snapshot(job).rows == rows
    fewer = make_job(data__generate=4, data__generate_width=320, data__generate_height=240)
    assert demo.fill_table(fewer) == 0 and len(tables.snapshot(fewer).rows) == 4


def test_fill_draws_anew_when_the_settings_change(make_job, quick_pictures):
    demo.fill_table(make_job(data__generate=3, data__generate_width=320, data__generate_height=240))
    before = tables.snapshot(make_job()).rows
    assert demo.fill_table(make_job(data__generate=3, data__generate_width=400, data__generate_height=300)) == 3
    after = tables.snapshot(make_job()).rows
    assert len(after) == 3 and after != before


def test_the_demo_serves_both_modes_and_other_columns(make_job, quick_pictures):
    wide = {"data__generate": 3, "data__generate_width": 320, "data__generate_height": 240}
    demo.fill_table(make_job(**wide, corners__predictor_mode=8))
    assert demo.fill_table(make_job(**wide)) == 0 and tables.snapshot(make_job(**wide)).rows[0]["row_nb"]
    other = make_job(**wide, data__columns__group="hole")
    assert demo.fill_table(other) == 3 and tables.snapshot(other).rows[0]["group"] == "Albion"


def test_fill_leaves_rows_of_the_users_own_alone(make_job):
    insert(make_job(), [label("mine.jpg")])
    assert demo.fill_table(make_job(data__generate=3)) == 0
    assert len(tables.snapshot(make_job()).rows) == 1


def test_the_demo_has_a_group_for_every_part():
    for count in (24, 48, 160):
        groups = {demo.SITES[seed % len(demo.SITES)] for seed in range(count)}
        split = config.resolve("corners", "demo").split
        parts = [ingest.assign_splits(groups, split)[group] for group in sorted(groups)]
        assert {part: parts.count(part) for part in set(parts)} == {"train": 14, "validation": 3, "test": 3}


