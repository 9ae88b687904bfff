"""Which known picture is meant: whole paths first, then their ends, and nothing that only looks alike."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.data.formats.path_index import PathIndex

KNOWN = {"D:\\Cores\\H1\\001.jpg": "H1/001.jpg", "D:\\Cores\\H2\\001.jpg": "H2/001.jpg",
         "D:\\Cores\\H 3\\Kärn 1.JPG": "H 3/Kärn 1.JPG", "D:\\Cores\\top.jpg": "top.jpg",
         "D:\\Cores\\H5\\Twin.jpg": "H5/Twin.jpg", "D:\\Cores\\H5\\twin.JPG": "H5/twin.JPG"}
H1, H2, KARN, TOP, TWIN, OTHER = KNOWN


@pytest.fixture(scope="module")
def index():
    names = [(path, path) for path in KNOWN] + [(below, path) for path, below in KNOWN.items()]
    return PathIndex(names, [("001-77cccd9127.jpg", H1)])


@pytest.mark.parametrize("name, paths", [
    (H1, [H1]), ("H1/001.jpg", [H1]), ("H1\\001.jpg", [H1]), ("d:/cores//h1/001.JPG", [H1]),
    ("pics/H1/001.jpg", [H1]), ("..\\pics\\H1\\001.jpg", [H1]), ("/mnt/x/Cores/H2/001.jpg", [H2]),
    ("s3://cores/H1/001.jpg", [H1]), ("s3://cores/H2/001.jpg?x=1", [H2]), ("https://host/a/H%203/K%C3%A4rn%201.JPG", [KARN]),
    (unicodedata.normalize("NFD", "H 3/Kärn 1.JPG"), [KARN]), ("h 3/KÄRN 1.jpg", [KARN]), ("Kärn 1.JPG", [KARN]),
    ("..\\..\\label-studio\\media\\upload\\4\\001-77cccd9127.jpg", [H1]),
    ("001.jpg", [H1, H2]), ("images/001.jpg", []), ("H9/001.jpg", []), ("xH1/001.jpg", []), ("H1/001.jpg/x", []),
    ("top.jpg", [TOP]), ("images/top.jpg", [TOP]), ("s3://cores/top.jpg", [TOP]), ("H9/top.jpg", []),
    ("H5/Twin.jpg", [TWIN]), ("H5/TWIN.jpg", [OTHER, TWIN] if OTHER < TWIN else [TWIN, OTHER]),
    ("H1", []), ("", []), ("/", []), ("..", []), ("jpg", [])])
def test_a_written_path_means_the_known_ones_that_it_can_mean(index, name, paths):
    assert index.find(name) == paths


@given(st.text(st.sampled_from("aB./\\:é 1") | st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_known_path_means_itself(name):
    assert PathIndex([(name, "this")]).find_whole(name) == PathIndex([(name, "this")]).find(name) == ["this"]
