"""Standard output that takes nothing: a reader that went away, a full disk, a descriptor that was closed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = Path(__file__).resolve().parents[2] / "data" / "shop"
EXPLAIN = ["explain", "-c", "cluster.yaml", "shop/web-1", "shop/db-0", "--port", "5432"]
CHECK = ["check", "-c", "cluster.yaml", "tests.yaml"]
COMMANDS = {
    "text": EXPLAIN,
    "json": [*EXPLAIN, "--format", "json"],
    "junit": [*CHECK, "--format", "junit"],
    "a failed check": CHECK,
    "help": ["--help"],
    "version": ["--version"],
}


def call(arguments, stdout, **options):
    main = "import sys; from simcore.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-W", "error", "-c", main, *arguments]
    done = subprocess.run(command, cwd=SHOP, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, **options)
    return done.returncode, [each for each in done.stderr.splitlines() if not each.startswith("ignored")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_that_went_away_ends_it_quietly(name):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert call(COMMANDS[name], writing) == (141, [])
    finally:
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_told(name):
    with open("/dev/full", "w") as full:
        code, errors = call(COMMANDS[name], full)
    assert code == 2
    where = "[Errno 28]" if name in ("help", "version") else "standard output:"
    assert errors == [f"error: {where} No space left on device"]


def test_a_closed_descriptor_is_told():
    assert call(EXPLAIN, None, preexec_fn=lambda: os.close(1)) == (
        2,
        ["error: standard output: Bad file descriptor"],
    )
