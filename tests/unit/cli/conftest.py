"""What the tests of commands share."""

import pytest

from simcore.cli.run import run


@pytest.fixture
def call(capsys):
    """Runs a command as a user would: its code, its output and its errors."""

    def _call(*arguments):
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call
