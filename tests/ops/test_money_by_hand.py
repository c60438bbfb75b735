"""What a person says of money that nobody else can speak of."""

from datetime import timedelta

from shared.store.invariants import violations
from tests.forced import unguarded
from tests.ops.conftest import INVOICE, Desk, doubt


def test_an_attempt_that_the_provider_has_accepted_is_not_sent_again(desk: Desk) -> None:
    """A debit that is under way: a second request would be a second debit once the key is forgotten."""
    doubt(desk, "pending")
    with desk.diary.store.transaction() as tx:
        tx.run("UPDATE charges SET doubtful_since = now()")
        tx.run("DELETE FROM sandbox_ledger")  # asked once more, the provider does not say that it was paid
    answer = desk.run(f"charge resolve --agency ag --invoice {INVOICE} --not-charged --by me", 2)
    assert "has accepted this attempt" in answer.output
    assert desk.diary.ask("SELECT state FROM charges") == [("pending",)]


def test_what_was_accepted_and_never_settled_is_followed_by_another_attempt(desk: Desk) -> None:
    """Since June; after thirty days nothing can come of it any more, so a person's word is taken."""
    doubt(desk, "pending")
    with desk.diary.store.transaction() as tx:
        tx.run("DELETE FROM sandbox_ledger")
    desk.run(f"charge resolve --agency ag --invoice {INVOICE} --not-charged --by me")
    ended = desk.diary.ask("SELECT attempt, state, code FROM charges ORDER BY attempt")
    assert ended == [(1, "declined", "not_charged"), (2, "due", None)]
    desk.settle()
    assert desk.diary.ask("SELECT status FROM invoices WHERE invoice_id = :id", id=INVOICE) == [("paid",)]


def test_a_person_says_that_money_is_gone(desk: Desk) -> None:
    """Of money that no provider of ours can be asked about; said twice it is the same, and 0 takes the word back."""
    ((payment,),) = desk.diary.ask("SELECT reference FROM payments")
    line = f"refund taken-back --agency ag --invoice {INVOICE} --by me --payment"
    assert "has no payment nothing" in desk.run(f"{line} nothing --amount-minor 1", 2).output
    for _ in range(2):
        assert "the invoice is open" in desk.run(f"{line} {payment} --amount-minor 11900").output
    assert desk.diary.ask("SELECT amount_minor FROM payment_reversals") == [(11900,)]
    assert desk.events("payment.reversed")[0]["by"] == "me"
    assert "the invoice is paid" in desk.run(f"{line} {payment} --amount-minor 0").output
    assert violations(desk.diary.store) == []


def test_what_a_person_said_is_gone_is_gone_once_a_refund_leaves_it(desk: Desk) -> None:
    """A refund under way leaves less to be gone; when it came to nothing the word counts in full, and no provider is asked."""
    ((payment,),) = desk.diary.ask("SELECT reference FROM payments")
    desk.run(f"refund request --agency ag --invoice {INVOICE} --amount-minor 900")
    with desk.diary.store.transaction() as tx, unguarded(tx):
        tx.run(
            "UPDATE refunds SET state = 'unknown', sent_at = now(), wake_at = :t", t=desk.diary.clock.at + timedelta(9)
        )
    desk.run(f"refund taken-back --agency ag --invoice {INVOICE} --by me --payment {payment} --amount-minor 11900")
    assert desk.diary.ask("SELECT sum(amount_minor) FROM payment_reversals") == [(11000,)]
    desk.run(f"refund resolve --agency ag --invoice {INVOICE} --refund 1 --not-refunded --by me")
    desk.settle()
    assert desk.diary.ask("SELECT sum(amount_minor) FROM payment_reversals") == [(11900,)]
    assert desk.diary.ask("SELECT kind, state FROM payment_inquiries") == [("by_hand", "answered")]
