"""Why a connection came to nothing, in words: what client libraries say of it names their classes, and sometimes a password."""

import errno
import socket
import ssl

# The first that fits, so the narrower ones first.
REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "nobody knows that name (DNS), or there is no network"),
    (ConnectionRefusedError, "the connection was refused"),
    (TimeoutError, "no answer in time"),
    (ssl.SSLCertVerificationError, "nobody we trust vouches for its certificate"),
    (ssl.SSLError, "no encrypted connection came about"),
    (ConnectionError, "the connection was cut"),
)
NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH}


def why(error: BaseException) -> str:
    """Return what the operating system said behind an error of a client library, in words; else the name of the error."""
    behind: BaseException | None = error
    while behind is not None:
        if words := next((words for kind, words in REASONS if isinstance(behind, kind)), ""):
            return words
        if isinstance(behind, OSError) and behind.errno in NO_WAY:
            return "no network leads there"
        # urllib3 keeps what the encryption said as an argument only.
        held = next((part for part in behind.args if isinstance(part, BaseException)), None)
        behind = behind.__cause__ or behind.__context__ or held
    return type(error).__name__
