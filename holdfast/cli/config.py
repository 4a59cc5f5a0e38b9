"""`holdfast config`: is it right, and what is it in the end."""

from pathlib import Path

from cyclopts import App

from holdfast.cli.configured import ConfigFile, Overrides
from holdfast.cli.options import HERE, At
from holdfast.cli.output import say, say_json
from holdfast.cli.starting import load

app = App(name="config", help="Check the configuration, or show what it comes to.")


@app.command
def check(*, config: ConfigFile = None, overrides: Overrides = (), at: At = HERE) -> int:
    """Find every mistake in the configuration, and in what it names; exit code 78 where there is any.

    What a start in the home would refuse is found too: a state that is to be taken over, symbols that its journal
    knows and the configuration does not.
    """
    from holdfast.ground import demand_fitting, look_at_home
    from holdfast.parts import demand_strategies, gather

    loaded = load(config, overrides)
    folder = loaded.file.parent if loaded.file else Path()
    if loaded.settings.feed.source == "venue":
        # The rest takes the venue, which is asked at the start.
        demand_strategies(loaded.settings, folder)
        opening = None
    else:
        parts = gather(loaded.settings, folder=folder)
        _, opening = demand_fitting(look_at_home(at.folder), parts, at.folder)
    takes_over = [file.path for file in opening.files] if opening is not None else []
    if at.as_json:
        say_json({"summary": loaded.summary, "takes_over": takes_over, "problems": []})
    else:
        say(loaded.summary + (f"; the first start takes over {', '.join(takes_over)}" if takes_over else ""))
    return 0


@app.command
def show(*, config: ConfigFile = None, overrides: Overrides = (), at: At = HERE) -> int:
    """Show every setting as it is in force, as a configuration that can be used again; secrets are hidden."""
    from holdfast.config.view import as_configuration, public_view

    settings = load(config, overrides).settings
    if at.as_json:
        say_json(public_view(settings))
    else:
        say(as_configuration(settings).rstrip())
    return 0
