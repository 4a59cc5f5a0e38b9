"""Bybit v5 spot's dialect, as ccxt speaks it: REST, market streams and the account's stream."""
