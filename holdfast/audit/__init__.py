"""The drift audit: a day's decisions against a re-run of the journal, and a backtest of the bars as they are now."""
