"""HTTPS for fakes that stand in for hosts with names."""

import ssl

import trustme

from tests.fakes.server import FakeServer


def secure(fake: FakeServer, authority: trustme.CA, *hosts: str) -> None:
    """Let `fake`, which is not running yet, speak HTTPS with a certificate for `hosts` that `authority` signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    # The handshake waits for the first read, in the thread of the connection.
    fake._server.socket = context.wrap_socket(fake._server.socket, server_side=True, do_handshake_on_connect=False)
