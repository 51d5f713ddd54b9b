"""Which file systems allow a dataset with a WAL."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from proposer.run import folder

MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /home/me/fast tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
host:/x /mnt/ssh fuse.sshfs rw 0 0
overlay /box fuse.fuse-overlayfs rw 0 0
lustre@tcp:/fs /scratch lustre rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/data/run", "WAL"),
        ("/home/me/run", "DELETE"),
        ("/home/me/fast/run", "WAL"),
        ("/homestead/run", "WAL"),
        ("/mnt/my share/run", "DELETE"),
        ("/mnt/ssh", "DELETE"),
        ("/box/run", "WAL"),
        ("/scratch/me", "DELETE"),
    ],
)
def test_network_file_systems_get_no_wal_but_a_warning(tmp_path, caplog, path, mode):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    with caplog.at_level(logging.WARNING):
        assert folder.journal_mode(Path(path), mounts) == mode
    assert ("network file system" in caplog.text) == (mode == "DELETE")


def test_a_system_without_a_list_of_mounts_counts_as_local(tmp_path):
    assert folder.journal_mode(tmp_path, tmp_path / "none") == "WAL"
