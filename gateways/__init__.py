"""The outside world behind ports: venues, markets, news.  Speaks domain values and knows no message."""
