from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tagtower.errors import StorageError
from tagtower.storage.atomic import atomic_folder, atomic_path, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run_python(
    code: str, *arguments: object, limit_bytes: int | None = None
) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestAFile:
    def test_may_have_the_longest_name_that_the_disk_takes(self, tmp_path: Path) -> None:
        for name in (f"{'n' * 251}.txt", f"{'日' * 83}.txt"):
            write_text(tmp_path / name, "x")
            assert (tmp_path / name).read_text() == "x"
        assert len(names(tmp_path)) == 2

    def test_holds_what_was_written_and_nothing_else_is_left(self, tmp_path: Path) -> None:
        write_bytes(tmp_path / "a.bin", b"\x00\xff")
        write_text(tmp_path / "a.txt", "größe\r\n日本\n")
        assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff"
        assert (tmp_path / "a.txt").read_bytes() == "größe\r\n日本\n".encode()
        assert names(tmp_path) == ["a.bin", "a.txt"]

    def test_missing_folders_are_made(self, tmp_path: Path) -> None:
        write_text(tmp_path / "deep" / "er" / "a.txt", "x")
        assert (tmp_path / "deep" / "er" / "a.txt").read_text() == "x"

    def test_gets_the_permissions_of_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain").write_text("x")
        write_text(tmp_path / "atomic", "x")
        assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_keeps_its_suffix_while_it_is_written(self, tmp_path: Path) -> None:
        with atomic_path(tmp_path / "vectors.npz") as partial:
            assert partial.suffix == ".npz"
            assert partial.parent == tmp_path
            assert not (tmp_path / "vectors.npz").exists()
            partial.write_bytes(b"x")

    def test_stays_as_it_was_when_the_block_fails(self, tmp_path: Path) -> None:
        def write(number: int) -> None:
            with atomic_path(tmp_path / "a.txt") as partial, partial.open("w") as stream:
                stream.write("old" if number else "half")
                stream.write(" and whole" if 1 // number else "")

        write(1)
        with pytest.raises(ZeroDivisionError):
            write(0)
        assert (tmp_path / "a.txt").read_text() == "old and whole"
        assert names(tmp_path) == ["a.txt"]

    def test_stays_as_it_was_when_the_process_is_killed(self, tmp_path: Path) -> None:
        write_text(tmp_path / "a.txt", "old")
        code = """
import os, signal, sys
from tagtower.storage.atomic import atomic_path
with atomic_path(sys.argv[1]) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
        assert run_python(code, tmp_path / "a.txt").returncode == -signal.SIGKILL
        assert (tmp_path / "a.txt").read_text() == "old"

    def test_behind_a_link_is_replaced_and_the_link_stays(self, tmp_path: Path) -> None:
        (tmp_path / "real.txt").write_text("old")
        (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
        write_text(tmp_path / "link.txt", "new")
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "real.txt").read_text() == "new"

    def test_never_replaces_a_device_or_a_folder(self, tmp_path: Path) -> None:
        for place in (Path("/dev/null"), tmp_path):
            with pytest.raises(StorageError, match="is not a file"):
                write_text(place, "x")

    def test_below_a_file_is_a_storage_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(StorageError, match=r"b\.txt.*could not be written"):
            write_text(tmp_path / "a.txt" / "c" / "b.txt", "x")

    def test_on_a_full_disk_is_a_storage_error_and_the_old_one_stays(self, tmp_path: Path) -> None:
        target = tmp_path / "a.bin"
        write_bytes(target, b"old")
        code = """
import sys
from tagtower.errors import StorageError
from tagtower.storage.atomic import write_bytes
try:
    write_bytes(sys.argv[1], bytes(1 << 20))
except StorageError as error:
    print(error)
"""
        done = run_python(code, target, limit_bytes=1 << 16)
        assert "a.bin: could not be written" in done.stdout
        assert "Free some space" in done.stdout
        assert target.read_bytes() == b"old"
        assert names(tmp_path) == ["a.bin"]

    @pytest.mark.parametrize(
        ("code", "advice"), [(errno.ENOSPC, "Free some space"), (errno.EROFS, "choose another place")]
    )
    def test_names_the_file_and_the_way_out(self, tmp_path: Path, code: int, advice: str) -> None:
        with pytest.raises(StorageError, match=r"model\.bin") as caught, atomic_path(tmp_path / "model.bin"):
            raise OSError(code, os.strerror(code))
        assert caught.value.hint is not None
        assert advice in caught.value.hint

    def test_a_failure_elsewhere_is_left_alone(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "out.txt") as partial:
            partial.write_text((tmp_path / "no-such-input").read_text())


class TestJson:
    def test_reads_back_with_every_script(self, tmp_path: Path) -> None:
        value = {"tag": "日食", "numbers": [1, 2.5, None], "odd": "\ud800"}
        write_json(tmp_path / "a.json", value)
        text = (tmp_path / "a.json").read_text(encoding="utf-8")
        assert json.loads(text) == value
        assert "日食" in text
        assert text.endswith("}\n")

    def test_nan_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="JSON"):
            write_json(tmp_path / "a.json", {"loss": float("nan")})
        assert names(tmp_path) == []


class TestAFolder:
    def test_appears_whole(self, tmp_path: Path) -> None:
        with atomic_folder(tmp_path / "model") as partial:
            (partial / "sub").mkdir()
            (partial / "sub" / "a.txt").write_text("x")
            assert names(tmp_path) == [partial.name]
        assert (tmp_path / "model" / "sub" / "a.txt").read_text() == "x"
        assert names(tmp_path) == ["model"]

    def test_replaces_the_one_before_as_a_whole(self, tmp_path: Path) -> None:
        for name in ("old.txt", "new.txt"):
            with atomic_folder(tmp_path / "model") as partial:
                (partial / name).write_text("x")
        assert names(tmp_path / "model") == ["new.txt"]
        assert names(tmp_path) == ["model"]

    def test_stays_as_it_was_when_the_block_fails(self, tmp_path: Path) -> None:
        def write(number: int) -> None:
            with atomic_folder(tmp_path / "model") as partial:
                (partial / "a.txt").write_text("old" if number else "half")
                (partial / "b.txt").write_text(str(1 // number))

        write(1)
        with pytest.raises(ZeroDivisionError):
            write(0)
        assert (tmp_path / "model" / "a.txt").read_text() == "old"
        assert names(tmp_path) == ["model"]

    def test_never_replaces_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_text("x")
        with pytest.raises(StorageError, match="is not a folder"), atomic_folder(tmp_path / "model"):
            pass
        assert (tmp_path / "model").read_text() == "x"

    def test_on_a_full_disk_is_a_storage_error(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="model"), atomic_folder(tmp_path / "model") as partial:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial / "model.safetensors"))
        assert names(tmp_path) == []
