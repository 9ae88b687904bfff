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




def test_a_generated_picture_of_several_boxes_has_a_row_for_each(make_job, monkeypatch):
    import numpy as np

    from lib import tasks
    from lib.data import ingest
    from lib.tasks.corners import labels

    kind, usual = tasks.find("corners"), tasks.find("corners").sample

    def sample(self, rng, size):
        code, row = usual(self, rng, size)
        corners = np.array([[10, 10], [300, 10], [300, 100], [10, 100]], float)
        boxes = [labels.row_of(corners + (0, 110 * at), 3 + at) for at in range(2)]
        return code, self.merge(boxes) if self.params.data.several else boxes[0]

    monkeypatch.setattr(kind, "sample", sample)
    several = {"data__generate": 20, "data__generate_width": 320, "data__generate_height": 240, "data__several": 1.0}
    job = make_job(**several)
    found = ingest.ingest_labels(job)
    assert len(found.table) == 20 and found.counts["rows"] == found.counts["kept"] == 40
    assert all([box["row_nb"] for box in labels.boxes_of(row)] == [3, 4] for row in found.table.to_dict("records"))
    assert demo.fill_table(job) == 0, "nothing is drawn again"
    assert demo.fill_table(make_job(**{**several, "data__several": 0.0})) == 20, "another share draws anew"
    assert ingest.ingest_labels(make_job(**{**several, "data__several": 0.0})).counts["rows"] == 20
