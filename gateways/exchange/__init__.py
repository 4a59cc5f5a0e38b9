"""An exchange on loopback, over real sockets, with a book and a ledger of its own: one that can lie.

`server` has the exchange itself; to import it here would let every node import a web server.
"""
