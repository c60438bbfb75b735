"""Follow a mail: read it as its reader does, open its page, type its command; and the situations that mails are about."""

import re
import shlex
from datetime import UTC, datetime
from email import message_from_string, policy
from typing import Any

import requests
from click.testing import CliRunner

from ops.cli import commands
from shared.gateways.port import Unknown
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop

INVOICE = "inv:sub:2026-06-01"
CLIENT, AGENCY = "accounts@law.example", "office@agency.example"
PAYMENTS = "SELECT source, amount_minor FROM payments ORDER BY received_at, reference"


def mail(shop: Shop, subject: str, to: str) -> str:
    """The newest mail to somebody whose subject begins like that, as it is read."""
    shop.wait(seconds=1)
    texts = [each.read_text() for each in sorted(shop.diary.mails.glob("*.eml"))]
    found = [message_from_string(each, policy=policy.default) for each in texts]
    bodies = [each for each in found if str(each["To"]) == to and str(each["Subject"]).startswith(subject)]
    assert bodies, [(str(each["To"]), str(each["Subject"])) for each in found]
    body = bodies[-1].get_body()  # type: ignore[attr-defined]
    return " ".join(str(body.get_content()).split())


def follow_link(shop: Shop, body: str) -> None:
    """The client opens the address of the mail, presses the button and pays at the provider."""
    (address,) = re.findall(rf"{shop.url}/pay/\S+", body)
    assert "<button" in requests.get(address, timeout=10).text
    assert requests.post(address, timeout=10, allow_redirects=False).status_code == 303
    shop.client_pays(shop.payment_pages()[-1])
    shop.wait(hours=2)


def type_command(shop: Shop, body: str, name: str, **filled: str) -> str:
    """Somebody types the command of the mail, with what it leaves open filled in; the pools then work on, at the real time."""
    line = re.search(rf"duecycle ({name} --agency .+?)(?: Invoice:| If it| Duecycle|$)", body)
    assert line is not None, body
    words = [filled.get(word, word) for word in shlex.split(line.group(1))]
    env = {
        "DUECYCLE_DATABASE_URL": shop.diary.store.engine.url.render_as_string(hide_password=False),
        "DUECYCLE_STRIPE_API": shop.provider.url,
        "DUECYCLE_SECRET_MAIN": StripeLike.secret,
    }
    done = CliRunner().invoke(commands, words, env=env)
    assert done.exit_code == 0, done.output
    shop.clock.at = datetime.now(UTC)
    shop.diary.world.settle()
    return done.output


def mark_paid(shop: Shop, **said: Any) -> None:
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, **said)
    shop.wait(seconds=1)


def failed(shop: Shop, **agency: Any) -> None:
    shop.open("pm_decline_insufficient_funds")
    if agency:
        shop.diary.say("agency.upserted", dunning=agency)


def doubt(shop: Shop) -> None:
    """Stripe has the money, its answer was lost, and whoever asks hears nothing."""
    real, tries = shop.gateway.charge, iter([True])

    def lost(*asked: Any) -> Unknown:
        if next(tries, False):
            real(*asked)
        return Unknown("lost")

    shop.gateway.charge = lost  # type: ignore[method-assign]
    shop.gateway.lookup = lost_too  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.wait(days=4)


def lost_too(*_: Any) -> Unknown:
    return Unknown("lost")


def heard_of_again(shop: Shop) -> None:
    """Later Stripe is heard again, and says that the money is there."""
    del shop.gateway.lookup
    del shop.gateway.charge
    assert isinstance(shop.provider, StripeLike)
    (intent,) = shop.provider.intents.values()
    shop.hook("payment_intent.succeeded", intent)
    shop.wait(days=1)
