from importlib import import_module

from pulpcore.plugin import PulpPluginAppConfig

from pulp_conda.app.logs import mask_logs


class PulpCondaPluginAppConfig(PulpPluginAppConfig):
    """Entry point of the plugin: makes Pulp serve conda channels."""

    name = "pulp_conda.app"
    label = "conda"
    version = "0.1.0.dev0"
    python_package_name = "pulp-conda"
    domain_compatible = True

    def ready(self) -> None:
        super().ready()
        mask_logs()
        # Not above: they need the models, which Django has loaded by now.
        import_module("pulp_conda.app.receivers")
        import_module("pulp_conda.app.pulp_receivers")
        import_module("pulp_conda.app.checks")
