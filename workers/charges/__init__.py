"""The charges pool: collect the outstanding amounts of open invoices in three short steps: claim, call, settle."""
