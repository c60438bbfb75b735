"""Addresses of payment pages. They name the invoice and are signed, so nobody can make one up."""

from itsdangerous import BadSignature, URLSafeSerializer

SALT = "duecycle pay page"


class PayUrls:
    """Makes addresses under `base` and reads them again. They never expire: the page shows the state of the invoice by then."""

    def __init__(self, base: str, secret: str) -> None:
        self._base = base.rstrip("/")
        self._signer = URLSafeSerializer(secret, salt=SALT)

    def of(self, agency_id: str, invoice_id: str) -> str:
        """The address of an invoice's page."""
        token = self._signer.dumps([agency_id, invoice_id])
        return f"{self._base}/pay/{token}"

    def read(self, token: str) -> tuple[str, str] | None:
        """(agency, invoice) of an address's last part; None if we did not make it."""
        try:
            agency_id, invoice_id = self._signer.loads(token)
        except (BadSignature, ValueError, TypeError):
            return None
        return str(agency_id), str(invoice_id)
