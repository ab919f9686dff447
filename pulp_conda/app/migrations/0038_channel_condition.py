import django.db.models.deletion
from django.db import migrations, models

# How the syncs went that refreshes have noted. What is on the server is counted with the next
# publication, or with the next orphan cleanup.
_TAKE_OVER = """
INSERT INTO conda_channelcondition (repository_id, checked_at, failures)
SELECT repository_id, checked_at, failures FROM conda_condarefresh
"""


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0037_virtual_channels'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChannelCondition',
            fields=[
                ('repository', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='condition', serialize=False, to='conda.condarepository')),
                ('checked_at', models.DateTimeField(null=True)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('error', models.JSONField(null=True)),
                ('failed_at', models.DateTimeField(null=True)),
                ('version', models.BigIntegerField(null=True)),
                ('referenced_size', models.BigIntegerField(null=True)),
                ('stored_size', models.BigIntegerField(null=True)),
                ('measured_at', models.DateTimeField(null=True)),
            ],
            options={
                'default_related_name': '%(app_label)s_%(model_name)s',
            },
        ),
        migrations.RunSQL(_TAKE_OVER, migrations.RunSQL.noop),
    ]
