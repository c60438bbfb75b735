"""Is the broker what we need it to be? Asked once at the start, in full."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pika
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
    IncompatibleProtocolError,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

from shared.broker.address import BLOCKED_SECONDS, parameters, shown
from shared.broker.answer_timeout import answered_within
from shared.broker.errors import BrokerError
from shared.broker.names import CHANGES_QUEUE, WORK_EXCHANGE, queue_of
from shared.broker.topology import Role, declare
from shared.messages.work import POOLS

ALARM_SECONDS = 0.2
NOWHERE = "duecycle.nowhere"  # a queue that nobody makes: what is sent there must come back


@contextmanager
def connected(urls: Sequence[str], name: str) -> Iterator[pika.BlockingConnection]:
    """A connection with the first node that answers. Raises BrokerError with what is wrong and what to do."""
    try:
        made = parameters(urls, name)
    except ValueError as error:
        raise BrokerError(
            f"DUECYCLE_BROKER_URL is no address ({error}); write amqp://user:password@host:5672/vhost"
        ) from None
    connection = None
    for url, each in zip(urls, made, strict=True):
        try:
            connection = pika.BlockingConnection(each)
            break
        except (AMQPError, OSError) as error:
            told = BrokerError(explain(error, url))
    if connection is None:
        raise told
    try:
        with answered_within(connection, 2 * BLOCKED_SECONDS):
            yield connection
    except BrokerError:
        raise
    except (AMQPConnectionError, OSError) as error:
        raise BrokerError(explain(error, urls[0])) from error
    finally:
        if connection.is_open:
            with _quietly():
                connection.close()


@contextmanager
def _quietly() -> Iterator[None]:
    try:
        yield
    except (AMQPError, OSError):
        return


def explain(error: BaseException, url: str) -> str:
    """Why a connection did not come about or ended, in words; never with the password."""
    where = shown(url)
    cause = _cause(error)
    match cause:
        case ProbableAuthenticationError():
            return f"{where} refused the user or the password; check DUECYCLE_BROKER_PASSWORD and the user's name"
        case ProbableAccessDeniedError():
            return f"{where}: this user may not use that virtual host, or there is none; add_vhost, set_permissions"
        case ConnectionClosedByBroker(reply_code=code, reply_text=text):
            if code == 530 or "NOT_ALLOWED" in text:
                return f"{where}: {text}; create the virtual host (rabbitmqctl add_vhost) or grant it to this user"
            return f"{where} ended the connection: {code} {text}"
        case ConnectionBlockedTimeout():
            return f"{where} blocks publishers for more than {BLOCKED_SECONDS:g} s: {_ALARM}"
        case IncompatibleProtocolError():
            return f"{where} ended the connection before it spoke AMQP; is it RabbitMQ's port for AMQP, with TLS as in the URL?"
        case ssl.SSLCertVerificationError(verify_message=words):
            return f"{where}: its certificate is not trusted ({words}); let SSL_CERT_FILE name the CA that signed it"
        case ssl.SSLError():
            return f"{where} does not speak TLS there; write amqp://, or the port for TLS (5671)"
        case socket.gaierror():
            return f"{where}: there is no such host; check DUECYCLE_BROKER_URL"
        case ConnectionRefusedError():
            return f"nobody listens at {where}; is RabbitMQ running, and is the port right?"
        case TimeoutError():
            return f"{where} does not answer; is the host reachable, and RabbitMQ up?"
    return f"{where}: {type(cause).__name__}: {cause}".rstrip(": ")


_ALARM = "an alarm for disk or memory is on (rabbitmqctl status shows it); free space, nothing is lost meanwhile"


def _cause(error: BaseException) -> BaseException:
    """pika wraps what happened on the way; the innermost says most."""
    inner = [*getattr(error, "exceptions", ())[-1:], getattr(error, "exception", None), *error.args[:1]]
    for each in inner:
        if isinstance(each, BaseException):
            return _cause(each)
    return error


def check_broker(urls: Sequence[str], role: Role, name: str) -> None:
    """Make the topology of a role, and for one that publishes see that confirms and returns work.

    Raises BrokerError that says what is wrong and what to do.
    """
    with connected(urls, name) as connection:
        declare(connection, role)
        if role == "scheduler":
            _try_publishing(connection, urls[0])


def _try_publishing(connection: pika.BlockingConnection, url: str) -> None:
    """Publish to a queue that does not exist: the broker must return the message, or lost work would go unnoticed."""
    blocked: list[object] = []
    connection.add_on_connection_blocked_callback(lambda *told: blocked.append(told))
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish(WORK_EXCHANGE, NOWHERE, b"", mandatory=True)
    except UnroutableError:
        # A broker with an alarm takes the first message and then says that it takes no more.
        connection.process_data_events(ALARM_SECONDS)
        if blocked:
            raise BrokerError(f"{shown(url)} blocks publishers: {_ALARM}") from None
        return
    except NackError:
        raise BrokerError(f"{shown(url)} refuses messages; {_ALARM}") from None
    except ChannelClosedByBroker as refused:
        raise BrokerError(
            f"{shown(url)}: this user may not publish ({refused.reply_text}); grant the scheduler's user the write permission"
            " that deploy/rabbitmq/users.py gives it"
        ) from None
    raise BrokerError(
        f"{shown(url)} took a message for a queue that does not exist: confirms or 'mandatory' do not work there"
    )


def queue_loads(urls: Sequence[str], name: str) -> dict[str, tuple[int, int] | None]:
    """Messages that wait, and consumers, of each pool's queue and of the queue of changes (`changes`); None where there is no
    queue.

    Raises BrokerError when the broker can't be asked.
    """
    queues = {**{str(pool): queue_of(pool) for pool in POOLS}, "changes": CHANGES_QUEUE}
    found: dict[str, tuple[int, int] | None] = {}
    with connected(urls, name) as connection:
        for what, queue in queues.items():
            channel = connection.channel()
            try:
                answer = channel.queue_declare(queue, passive=True).method
            except ChannelClosedByBroker:
                found[what] = None
            else:
                found[what] = (answer.message_count, answer.consumer_count)
                channel.close()
    return found
