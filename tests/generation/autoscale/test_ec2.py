"""One instance among others, at a server that answers as EC2 does."""

import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto.server import ThreadedMotoServer

from generation.autoscale.drivers import DriverError, Reading
from generation.autoscale.ec2 import MACHINES, Ec2
from generation.autoscale.rules import Machine
from tests.stack import free_port

REGION = "eu-central-1"
IMAGE = "ami-12c6146b"  # one that moto knows


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "its-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    return boto3.client("ec2", region_name=REGION, endpoint_url=address)


def launch(client) -> str:
    return client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]


def state(client, instance: str) -> str:
    return client.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def test_the_instance_is_stopped_and_started_and_no_other(client, address: str) -> None:
    ours, other = launch(client), launch(client)
    driver = Ec2(instance=ours, region=REGION, url=address)
    began = datetime.now(UTC)
    running = driver.read()
    assert running == Reading(Machine.RUNNING, running.started_at)
    assert running.started_at is not None
    assert timedelta(0) <= began - running.started_at < timedelta(minutes=1)

    driver.stop()
    stopped = driver.read()
    assert (state(client, ours), state(client, other)) == ("stopped", "running")
    assert stopped == Reading(Machine.STOPPED, stopped.started_at, stopped.stopped_at)
    assert stopped.stopped_at is not None
    assert abs(stopped.stopped_at - began) < timedelta(minutes=1)

    client.stop_instances(InstanceIds=[other])
    driver.start()
    assert (state(client, ours), state(client, other)) == ("running", "stopped")
    assert driver.read().machine is Machine.RUNNING


def test_starting_what_runs_and_stopping_what_does_not_is_no_error(client, address: str) -> None:
    driver = Ec2(instance=launch(client), region=REGION, url=address)
    driver.start()
    assert driver.read().machine is Machine.RUNNING
    driver.stop()
    driver.stop()
    assert driver.read().machine is Machine.STOPPED


def test_one_that_was_terminated_is_gone_for_good(client, address: str) -> None:
    instance = launch(client)
    client.terminate_instances(InstanceIds=[instance])
    assert Ec2(instance=instance, region=REGION, url=address).read().machine is Machine.GONE


def test_every_state_of_an_instance_has_a_meaning(client) -> None:
    shape = client.meta.service_model.shape_for("InstanceStateName")
    assert set(MACHINES) == set(shape.enum)


def test_an_instance_that_there_is_not_is_told_in_one_line(client, address: str) -> None:
    driver = Ec2(instance="i-0123456789abcdef0", region=REGION, url=address)
    with pytest.raises(DriverError) as told:
        driver.read()
    assert str(told.value) == (
        "EC2, describe_instances: An error occurred (InvalidInstanceID.NotFound) when calling the DescribeInstances operation: "
        "The instance ID 'i-0123456789abcdef0' does not exist"
    )


def test_an_endpoint_that_does_not_answer_is_told_in_one_line(client) -> None:
    port = free_port()
    driver = Ec2(instance="i-0123456789abcdef0", region=REGION, url=f"http://127.0.0.1:{port}")
    with pytest.raises(DriverError) as told:
        driver.read()
    assert str(told.value) == f'EC2, describe_instances: Could not connect to the endpoint URL: "http://127.0.0.1:{port}/"'


def test_without_credentials_a_line_says_so(client, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DriverError, match=r"^EC2, describe_instances: Unable to locate credentials"):
        Ec2(instance="i-0123456789abcdef0", region=REGION, url=address).read()


def test_without_boto3_the_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(DriverError) as told:
        Ec2(instance="i-0123456789abcdef0", region=REGION)
    assert str(told.value) == "boto3 is missing: .venv/bin/python -m pip install -r requirements/ec2.txt"
