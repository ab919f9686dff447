default_app_config = "pulp_conda.app.PulpCondaPluginAppConfig"
