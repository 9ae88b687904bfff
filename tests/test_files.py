"""The door for files: whole or not at all, at every step; one holder at a time."""

import os
import subprocess
import sys
import textwrap

import pytest

from lib.storage import files


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a" / "b.txt"
    files.write(path, "one")
    files.write(path, b"two")
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["b.txt"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "b.txt"
    files.write(path, "one")
    with pytest.raises(RuntimeError), files.writing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["b.txt"]


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    path = tmp_path / "b.txt"
    files.write(path, "one")
    with pytest.raises(files.DiskFull, match="MB free"), files.writing(path):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "one"
    with pytest.raises(files.DiskFull, match="are needed"):
        files.require_space(tmp_path, 10**18)


@pytest.mark.parametrize("step", range(1, 7))
def test_killed_at_any_step_the_file_is_old_or_new(tmp_path, step):
    """SQLite's method: the process dies at the k-th call that touches the disk."""
    path = tmp_path / "b.txt"
    path.write_text("old")
    code = textwrap.dedent(f"""
        import os
        from lib.storage import files
        calls = 0
        def dying(call):
            def run(*a, **k):
                global calls
                calls += 1
                if calls == {step}:
                    os._exit(9)
                return call(*a, **k)
            return run
        files.tempfile.mkstemp = dying(files.tempfile.mkstemp)
        for name in ("fsync", "replace", "chmod"):
            setattr(os, name, dying(getattr(os, name)))
        files.write({str(path)!r}, "new")
        print("written")
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == (9 if step <= 5 else 0), done.stderr
    assert path.read_text() in ("old", "new")
    if "written" in done.stdout:
        assert path.read_text() == "new"


def test_a_second_holder_is_told_who_has_it(tmp_path):
    with files.lock(tmp_path):
        code = f"from lib.storage import files\nwith files.lock({str(tmp_path)!r}): pass"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert f"in use by process {os.getpid()} on" in done.stderr
    with files.lock(tmp_path):
        pass


def test_the_lock_of_a_dead_process_is_void(tmp_path):
    code = f"import os\nfrom lib.storage import files\nwith files.lock({str(tmp_path)!r}): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    with files.lock(tmp_path):
        pass


def test_json_that_is_none_is_named(tmp_path):
    with pytest.raises(ValueError, match="a.json is missing"):
        files.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match="a.json is not JSON"):
        files.read_json(tmp_path / "a.json")
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", float("nan"))
