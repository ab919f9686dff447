Made requests for packages of virtual channels as fast as those for packages of other channels. Scripts in browsers can read the header ``Age``.
