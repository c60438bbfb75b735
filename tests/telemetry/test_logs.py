"""Logs are JSON lines, and what must not be in them is not."""

import io
import json
import logging
import sys
import threading

import structlog

VALUE = "accounts@zoo.example"


def told(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_time_level_and_process(lines: io.StringIO) -> None:
    structlog.get_logger().info("message.done", rows=3)
    (line,) = told(lines)
    assert (line["event"], line["rows"], line["level"], line["process"]) == ("message.done", 3, "info", "charges")
    assert str(line["timestamp"]).endswith("Z")


def test_what_libraries_log_comes_out_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("somebody.else").warning("low on %s", "disk")
    assert [(line["event"], line["level"]) for line in told(lines)] == [("low on disk", "warning")]


def test_secrets_and_personal_data_are_taken_out(lines: io.StringIO) -> None:
    """Whatever key they stand under, and in addresses wherever these stand."""
    structlog.get_logger().error(
        "x.failed",
        token="tok_4242",  # noqa: S106 - a test's
        email="c@zoo.example",
        reason="amqp://scheduler:hunter2@broker:5672/x broke",
        data={"methods": [{"token": "tok_4242"}], "at": ("smtp://post:hunter2@mail",)},
    )
    text = lines.getvalue()
    assert not any(secret in text for secret in ("tok_4242", "zoo.example", "hunter2"))
    assert "scheduler" in text


def test_each_second_of_an_outage_is_not_logged(lines: io.StringIO) -> None:
    """The libraries' own tracebacks stay away; we tell an outage once."""
    logging.getLogger("pika.adapters").error("Connection refused")
    logging.getLogger("dramatiq.worker").error("Consumer encountered a connection error")
    assert told(lines) == []


def test_what_nobody_catches_is_a_line_like_any_other(lines: io.StringIO) -> None:
    """In the process and in its threads; where it was raised is told, the value that broke it is not."""

    def breaks() -> None:
        int(VALUE)

    thread = threading.Thread(target=breaks)
    thread.start()
    thread.join()
    try:
        breaks()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    first, second = told(lines)
    assert first["event"] == second["event"] == "error.uncaught"
    for line in (first, second):
        assert str(line["exception"]).endswith("ValueError")
        assert "in breaks" in str(line["exception"])
    assert VALUE not in lines.getvalue()
