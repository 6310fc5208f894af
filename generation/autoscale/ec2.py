"""One instance of Amazon EC2: described, started and stopped, and nothing else."""

import re
from datetime import UTC, datetime
from typing import Any

from generation.autoscale.drivers import DriverError, Reading
from generation.autoscale.rules import Machine

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
MACHINES = {
    "pending": Machine.STARTING,
    "running": Machine.RUNNING,
    "stopping": Machine.STOPPING,
    "stopped": Machine.STOPPED,
    "shutting-down": Machine.GONE,
    "terminated": Machine.GONE,
}
# "User initiated (2026-11-22 18:23:35 GMT)": the only word of when it stopped.
STOPPED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


class Ec2:
    """Asks AWS with whatever credentials boto3 finds: a role of this machine, a profile, the environment."""

    def __init__(self, *, instance: str, region: str, url: str = "") -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise DriverError("boto3 is missing: .venv/bin/python -m pip install -r requirements/ec2.txt") from None
        self.instance = instance
        self._errors = (BotoCoreError, ClientError)
        config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
        self._client = boto3.session.Session().client("ec2", region_name=region, endpoint_url=url or None, config=config)

    def read(self) -> Reading:
        """Return what the instance does, when it last started and, if it is stopped, when that was asked for."""
        reservations = self._ask("describe_instances")["Reservations"]
        found = [instance for reservation in reservations for instance in reservation["Instances"]]
        if not found:
            return Reading(Machine.GONE)
        machine = MACHINES[found[0]["State"]["Name"]]
        stopped = STOPPED_AT.search(found[0].get("StateTransitionReason", ""))
        stopped_at = datetime.fromisoformat(stopped[1]).replace(tzinfo=UTC) if stopped else None
        return Reading(machine, found[0].get("LaunchTime"), None if machine is Machine.RUNNING else stopped_at)

    def start(self) -> None:
        """Ask for the instance to start."""
        self._ask("start_instances")

    def stop(self) -> None:
        """Ask for the instance to stop; its disk stays."""
        self._ask("stop_instances")

    def _ask(self, operation: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(InstanceIds=[self.instance])
        except self._errors as error:
            raise DriverError(f"EC2, {operation}: {' '.join(str(error).split())}") from error
        return answer
