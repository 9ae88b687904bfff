"""The pictures of a folder: what is left out of it, and names that are not UTF-8."""

import os

import pytest
from toy_export import picture

from lib.serving import image_list
from lib.storage import files


def test_a_folder_without_pictures_is_named(predictor, tmp_path):
    with pytest.raises(ValueError, match="holds no pictures"):
        list(predictor.answers(tmp_path))
    with pytest.raises(ValueError, match="no folder"):
        image_list.list_images(tmp_path / "nowhere")


def test_what_is_left_out_of_a_folder_is_named(tmp_path):
    for name in ("a.jpg", "b.JFIF", "c.jpe", "d.png", "e.heic", "f.webp", "notes.txt", "noted"):
        files.write(tmp_path / "in" / name, picture())
    files.write(tmp_path / "other" / "z.jpg", picture())
    os.symlink(tmp_path / "other", tmp_path / "in" / "linked")
    listing = image_list.list_images(tmp_path / "in", ("JPEG", "PNG"))
    assert listing.names == ["a.jpg", "b.JFIF", "c.jpe", "d.png"]
    for word in ("1 left out: files .heic", "1 left out: files .webp, as api.formats lacks WEBP", "1 left out: files .txt",
                 "files without a suffix", "the linked folder linked"):
        assert word in str(listing)


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", "gr\u00fcn.jpg".encode(), b"plain.jpg", b"spelt \\xe9.jpg", b"\\x41.jpg",
                                  b"\xff\xfe/\x80.png"])
def test_a_name_as_it_was_written_leads_back_to_its_file(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(picture())
    written = image_list.escape(image_list.list_images(tmp_path).names[0])
    written.encode("utf-8")   # it can be written
    assert os.fsencode(image_list.escaped_path(tmp_path, written)) == path


def test_a_name_that_stands_for_two_files_is_refused(tmp_path):
    for name in (b"\xe9.jpg", b"\\xe9.jpg"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(picture())
    with pytest.raises(ValueError, match="stands for two files"):
        image_list.escaped_path(tmp_path, "\\xe9.jpg")
