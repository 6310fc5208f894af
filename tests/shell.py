"""Runs what it is sent, a JSON string a line, each as if Django had just started; answers with [done, what was printed or went wrong]."""

import io
import json
import sys
import traceback
from contextlib import redirect_stdout

import django

django.setup()

from django.db import connections  # noqa: E402

for line in sys.stdin:
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            exec(json.loads(line), {"__name__": "__main__"})
        answer = (True, printed.getvalue())
    except Exception:  # noqa: BLE001  # whatever it is, the test that sent the code shall fail with it
        answer = (False, printed.getvalue() + traceback.format_exc())
    # The database may be another one by the next time.
    connections.close_all()
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
