Added URLs for earlier states of stages: ``<channel>@2026-03-03/``, ``@2026-03-03T12:00:00Z`` and ``@v42`` are complete channels in that state, and ``<channel>/history.atom`` is a feed of the moves.
