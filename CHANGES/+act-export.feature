Added ``pulp conda act export`` and ``conda/acts/export/``, which write acts as JSON lines, filters of acts for ``channel`` and ``workflow``, and the setting ``CONDA_ACT_RETENTION_DAYS``.
