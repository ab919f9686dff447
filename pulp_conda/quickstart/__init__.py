"""A whole Pulp in one folder: `python -m pulp_conda.quickstart up`.

It starts programs and talks to them over HTTP. It imports neither the plugin nor Django. Modules:

- ``state``       the folder: its layout, its secrets, its facts, and a lock
- ``settings``    the settings file that Pulp reads
- ``ports``       the choice of two free ports
- ``processes``   start, recognize and stop processes
- ``postgres``    a private PostgreSQL
- ``migrations``  tables, roles and the administrator, updated when plugins have changed
- ``health``      whether all programs answer
- ``services``    ``Stack``: all programs, started and stopped in order
- ``status``      what runs and where, for people and programs
- ``errors``      the error of this command
- ``demo``        the main job of the plugin, step by step
- ``api``         the REST API, as far as the demo needs it
- ``sample``      a small channel for the demo
- ``client``      a conda client for the demo
"""
