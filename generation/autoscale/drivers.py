"""Whoever starts and stops the machine: one small protocol."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings

from generation.autoscale.rules import Machine


class DriverError(Exception):
    """The machine could not be asked, started or stopped; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of the machine; a driver that can't tell what it does says None."""

    machine: Machine | None
    started_at: datetime | None = None
    stopped_at: datetime | None = None


class Driver(Protocol):
    """Each call may raise DriverError, and returns within minutes; `start` and `stop` need not wait for what they ask for."""

    def read(self) -> Reading: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def load_driver() -> Driver:
    """Return the driver that the settings name; raises DriverError if they name none, or not all that it needs."""
    if settings.AUTOSCALE_DRIVER == "ec2":
        from generation.autoscale.ec2 import Ec2

        _require("AUTOSCALE_EC2_INSTANCE", "AUTOSCALE_EC2_REGION")
        return Ec2(instance=settings.AUTOSCALE_EC2_INSTANCE, region=settings.AUTOSCALE_EC2_REGION, url=settings.AUTOSCALE_EC2_URL)
    if settings.AUTOSCALE_DRIVER == "command":
        from generation.autoscale.command import Commands

        _require("AUTOSCALE_START", "AUTOSCALE_STOP")
        return Commands(start=settings.AUTOSCALE_START, stop=settings.AUTOSCALE_STOP, state=settings.AUTOSCALE_STATE)
    raise DriverError("AUTOSCALE_DRIVER is not set: use ec2 or command.")


def _require(*names: str) -> None:
    if missing := [name for name in names if not getattr(settings, name)]:
        raise DriverError(f"AUTOSCALE_DRIVER is {settings.AUTOSCALE_DRIVER}, which needs {' and '.join(missing)}.")
