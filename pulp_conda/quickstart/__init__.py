"""A whole Pulp in one folder: `python -m pulp_conda.quickstart up`.

It starts programs and talks to them over HTTP; it imports neither the plugin nor Django. Where to read:

- ``state``       the folder: its layout, its secrets, what it remembers, who may work on it
- ``settings``    the settings file that Pulp reads
- ``ports``       which ones, and who has them
- ``processes``   start, recognize and stop processes
- ``postgres``    a private PostgreSQL
- ``migrations``  tables, roles and the administrator, brought up to date when plugins changed
- ``health``      whether it all answers
- ``services``    ``Stack``: all of the above, in order
- ``status``      what runs and where, for people and programs
- ``errors``      what this command says when it cannot go on
"""
