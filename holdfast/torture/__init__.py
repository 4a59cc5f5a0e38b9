"""Torture: a real node trades at an exchange that lies, and is killed again and again; the exchange's ledger judges."""
