Added the past of stages: ``<channel>@2026-03-03/``, ``@2026-03-03T12:00:00Z`` and ``@v42`` are whole channels as they were then, and ``<channel>/history.atom`` is a feed of what moved.
