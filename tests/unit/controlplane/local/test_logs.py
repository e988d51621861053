import os
from pathlib import Path

from controlplane.local import logs


def test_a_new_start_keeps_one_former_log(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "envoy.log"
    for text in ("first", "second", "third"):
        logs.begin(path)
        path.write_text(text)
    assert (path.read_text(), path.with_name("envoy.log.1").read_text()) == ("third", "second")
    assert len(list(path.parent.iterdir())) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_grows_too_long_is_cut_under_its_writer_without_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "envoy.log"
    writer = logs.open_log(path)
    os.write(writer, b"x" * 100)
    logs.trim(path, bytes_max=100)
    assert path.stat().st_size == 100
    os.write(writer, b"y")
    logs.trim(path, bytes_max=100)
    os.write(writer, b"after")
    os.close(writer)
    assert path.read_bytes() == b"after"
    assert path.with_name("envoy.log.1").stat().st_size == 101


def test_the_tail_is_bounded_and_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "extproc.log"
    path.write_text("".join(f"line {n}\n" for n in range(1000)))
    text = logs.tail(path)
    assert f"the end of {path}" in text
    assert "line 999" in text
    assert text.count("\n  ") == logs.TAIL_LINES_MAX
    path.write_text("z" * 100_000)
    assert len(logs.tail(path)) < logs.TAIL_BYTES_MAX + 200


def test_no_log_is_no_tail(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()
    assert logs.tail(tmp_path / "empty.log") == logs.tail(tmp_path / "missing.log") == ""
