"""The charges pool: collect the rest of open invoices in three short acts: claim, call, settle."""
