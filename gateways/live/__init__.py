"""Real venues, reached through ccxt.

ccxt signs, and carries requests and streams; what came back is read here.  A request is sent once, and its outcome is
judged by what the venue itself answered: never by the class of an exception, never by an answer that proves nothing.
"""
