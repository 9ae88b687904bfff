"""The pictures of a folder."""

from pathlib import Path

from lib.imaging import images


def list_images(folder):
    """The pictures below a folder as sorted relative names; a folder without any is a ValueError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; name one that holds pictures")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                   if path.suffix.lower() in images.SUFFIXES and not path.name.startswith("."))
    if not names:
        raise ValueError(f"{folder} holds no pictures ({', '.join(images.SUFFIXES)})")
    return names
