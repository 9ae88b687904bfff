"""The page of the API with photographs of several boxes, one that is cut, or none."""

import csv
import io
import json
from urllib.parse import parse_qs, urlparse

import pytest
import toy_export
from accessibility import violations
from PIL import Image
from test_api import opened, picture, settings
from test_corners_serving import ANSWERS

from lib import tasks
from lib.serving import api, prediction


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with api.start(toy_export.folder(tmp_path_factory), settings()) as server:
        yield server


def answered(page, answer):
    """Have the API answer so whatever it is asked but for a drawing; returns the queries of what the page asks."""
    job, queries = tasks.job("corners"), []

    def reply(route):
        query = {name: values[0] for name, values in parse_qs(urlparse(route.request.url).query).items()}
        queries.append(query)
        if "draw" in query:
            return route.continue_()
        whole = {**prediction.rounded(answer, job.pixel_fields, 0), "model": "corners", "model_version": "1", "trace_id": "0"}
        return route.fulfill(body=json.dumps(job.format_response(whole, query)), content_type="application/json")

    page.route("**/v1/corners/predict**", reply)
    return queries


def give(page, *names):
    page.set_input_files("#file", [{"name": name, "mimeType": "image/jpeg", "buffer": picture()} for name in names])
    page.get_by_text("Done").wait_for()


def test_every_box_is_shown_with_its_number_its_rows_and_how_sure_it_is(server, browser):
    page, said = opened(browser, server)
    queries = answered(page, ANSWERS["several"])
    give(page, "one.jpg", "two.jpg")
    assert [query.get("boxes", query.get("draw")) for query in queries] == [None, "all", "true", "all", "true"], \
        "only the first picture is asked about twice"
    card = page.locator("article").first
    assert "4 boxes found; look at 2, 3 and 4." in card.inner_text()
    rows = card.locator("tbody tr").filter(has=page.get_by_role("button"))
    assert rows.count() == 4 and rows.nth(0).inner_text().split("\t")[:3] == ["1", "3, horizontal", "Found (confidence 0.90)."]
    for at, words in ((1, "Not sure of it"), (2, "Only partly in the picture"), (3, "Too blurred")):
        assert words in rows.nth(at).inner_text()
    assert card.locator("img").get_attribute("alt") == "two.jpg, with 4 boxes drawn on it"
    assert violations(page) == []
    page.close()
    assert said == []


def test_the_csv_has_a_row_and_the_crops_a_file_for_every_box(server, browser):
    page, said = opened(browser, server)
    answered(page, ANSWERS["several"])
    give(page, "one.jpg")
    with page.expect_download() as download:
        page.get_by_text("Save the answers as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [(row["image"], row["box"], row["p1x"], row["refused"]) for row in rows] == [
        ("one.jpg", "1", "40", ""), ("one.jpg", "2", "40", ""), ("one.jpg", "3", "-121", ""), ("one.jpg", "4", "40", "blurred")]
    assert {(row["boxes_nb"], row["model_version"]) for row in rows} == {("4", "1")} and "boxes" not in rows[0]
    names, sizes = [], []
    page.on("download", lambda download: (names.append(download.suggested_filename), sizes.append(Image.open(download.path()).size)))
    page.get_by_text("Save all crops").click()
    page.wait_for_function("1")
    for _ in range(100):
        if len(names) == 4:
            break
        page.wait_for_timeout(50)
    assert sorted(names) == [f"one-crop-{at}.png" for at in range(1, 5)] and (200, 60) in sizes
    with page.expect_download() as download:
        page.get_by_role("button", name="Save crop 4").click()
    assert Image.open(download.value.path()).size == (60, 30)
    page.close()
    assert said == []


def test_one_box_needs_no_table_and_none_is_said(server, browser):
    for name, words, button in (("one", "Found (confidence 0.90).", 1), ("none", "No box found in this picture.", 0),
                                ("cut alone", "Only partly in the picture", 1)):
        page, said = opened(browser, server)
        queries = answered(page, ANSWERS[name])
        give(page, "a.jpg")
        card = page.locator("article")
        assert words in card.inner_text() and card.get_by_text("Save the crop").count() == button
        assert card.locator("thead").count() == 0 and ("draw" in queries[-1]) == (name != "none"), "nothing is drawn where nothing is"
        with page.expect_download() as download:
            page.get_by_text("Save the answers as CSV").click()
        (row,) = csv.DictReader(io.StringIO(download.value.path().read_text()))
        assert row["box"] == "1" and (row["p1x"] == "") == (name == "none") and row["boxes_nb"] == str(ANSWERS[name]["boxes_nb"])
        page.close()
        assert said == []


def test_many_boxes_fit_a_phone(server, browser):
    page, said = opened(browser, server, viewport={"width": 390, "height": 800})
    answered(page, {**ANSWERS["several"], "boxes": ANSWERS["several"]["boxes"] * 3, "boxes_nb": 12})
    give(page, "a-long-name-without-any-space-" * 9 + ".jpg")
    page.get_by_text("All numbers").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    head = page.locator("thead th").first
    assert head.evaluate("cell => cell.clientHeight") < 40, "the words of the table stay whole"
    page.close()
    assert said == []
