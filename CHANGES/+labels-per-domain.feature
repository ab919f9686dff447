Added entries for single domains to ``CONDA_UPLOAD_LABELS``, and checks for wrong values and missing channels.
