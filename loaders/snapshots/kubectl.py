"""kubectl as a subprocess: it knows the user's clusters and credentials, which are none of ours."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from enum import Enum, auto
from time import sleep

from simcore.errors import LoadError, Place

PLACE = Place("kubectl")
TRIES = 3
"""How often a request is made that fails for reasons that may pass."""
_PAUSE = 1.0
_STATUS = re.compile(r"Error from server \((?P<reason>\w+)\): (?P<message>.*)", re.DOTALL)
_LOG_LINE = re.compile(r"[EWI]\d{4} ")
_GRACE = 30.0
"""Seconds beyond the time limit of a request, for what kubectl does around it."""


class Cause(Enum):
    """Why a request failed, as far as it matters for what to do next."""

    REFUSED = auto()
    """The server will not answer it, now or later."""
    ABSENT = auto()
    EXPIRED = auto()
    """What is asked for is too old, or not there yet: asking for something newer may do."""
    BROKEN = auto()
    """It may work when it is tried again."""
    UNREACHABLE = auto()
    """Nothing can be asked."""


_CAUSES = {
    "Forbidden": Cause.REFUSED,
    "MethodNotAllowed": Cause.REFUSED,
    "NotFound": Cause.ABSENT,
    "Expired": Cause.EXPIRED,
    "Gone": Cause.EXPIRED,
    "BadRequest": Cause.EXPIRED,
    "Invalid": Cause.EXPIRED,
    "Unauthorized": Cause.UNREACHABLE,
}
_BROKEN = ("deadline exceeded", "Client.Timeout", "EOF", "connection reset", "TLS handshake timeout")


class RequestError(Exception):
    """A request that failed; the message is the server's or kubectl's."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl.

    Attributes
    ----------
    context, kubeconfig : str or None
        As kubectl's options of these names.
    seconds : float
        How long one answer may take.
    """

    context: str | None = None
    kubeconfig: str | None = None
    seconds: float = 60.0

    def get(self, path: str) -> bytes:
        """Return what the server answers at a path; tried again where that may help.

        Raises
        ------
        RequestError
            The request failed.
        LoadError
            kubectl cannot be run.
        """
        for left in reversed(range(TRIES)):
            try:
                return self._run("get", "--raw", path)
            except RequestError as error:
                if error.cause is not Cause.BROKEN or not left:
                    raise
            sleep(_PAUSE)
        raise AssertionError

    def resources(self) -> str:
        """Return the table of ``kubectl api-resources``, as far as it can be had.

        Raises
        ------
        RequestError
            There is none.
        LoadError
            kubectl cannot be run.
        """
        done = self._started("api-resources", "--output=wide", "--no-headers")
        if done.returncode and not done.stdout:
            raise failure(done.stderr)
        return done.stdout.decode(errors="replace")

    def _run(self, *arguments: str) -> bytes:
        done = self._started(*arguments)
        if done.returncode:
            raise failure(done.stderr)
        return done.stdout

    def _started(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        options = [f"--request-timeout={self.seconds:g}s"]
        options += [f"--context={self.context}"] if self.context is not None else []
        options += [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig is not None else []
        try:
            return subprocess.run(
                ["kubectl", *arguments, *options],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.seconds + _GRACE,
                check=False,
            )
        except FileNotFoundError:
            raise LoadError.at(PLACE, "there is no kubectl on the PATH. Install it, or add its folder") from None
        except OSError as error:
            raise LoadError.at(PLACE, f"kubectl cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise RequestError(Cause.BROKEN, f"kubectl did not end within {self.seconds + _GRACE:g} s") from None


def failure(stderr: bytes) -> RequestError:
    """Read what kubectl says of a failure, its log lines left out."""
    text = stderr.decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _LOG_LINE.match(line)]
    message = " ".join(lines) or text.strip() or "kubectl failed, and did not say why"
    if match := _STATUS.search(message):
        return RequestError(_CAUSES.get(match["reason"], Cause.BROKEN), match["message"].strip())
    told = message.removeprefix("error: ")
    if any(word in message for word in _BROKEN):
        return RequestError(Cause.BROKEN, told)
    return RequestError(Cause.UNREACHABLE, told)
