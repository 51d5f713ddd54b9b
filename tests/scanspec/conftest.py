"""Fixtures that read a scan file in the folder of a test, or give the message with which it is refused."""

import pytest

from scanspec import ScanFileError, read_scan_file


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "scan.yaml"
        path.write_text(text)
        return read_scan_file(path)

    return read


@pytest.fixture
def fault(read, tmp_path):
    def fault(text):
        with pytest.raises(ScanFileError) as caught:
            read(text)
        return str(caught.value).removeprefix(f"{tmp_path / 'scan.yaml'}, ")

    return fault
