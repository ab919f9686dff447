"""Send the metrics of channels to a collector of OpenTelemetry."""

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from pulp_conda.app.monitoring.metrics import record


def send_metrics() -> None:
    """Send how channels are, once. Pulp's schedules start this, if `OTEL_ENABLED` is set."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    resource = Resource(attributes={"service.name": "pulp-worker"})
    provider = MeterProvider(metric_readers=[reader], resource=resource)
    record(provider.get_meter(__name__))
    # It sends what was recorded, and waits for that.
    provider.shutdown()
