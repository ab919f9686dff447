import django.db.models.deletion
import django_lifecycle.mixins
import pulpcore.app.models.base
import pulpcore.app.util
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0022_block_events'),
        ('core', '0161_upstreampulp_remote_policy'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CondaUpload',
            fields=[
                ('pulp_id', models.UUIDField(default=pulpcore.app.models.base.pulp_uuid, editable=False, primary_key=True, serialize=False)),
                ('pulp_created', models.DateTimeField(auto_now_add=True)),
                ('pulp_last_updated', models.DateTimeField(auto_now=True, null=True)),
                ('token_name', models.TextField(default='')),
                ('filename', models.TextField()),
                ('subdir', models.TextField(default='')),
                ('size', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('md5', models.CharField(default='', max_length=32)),
                ('attestation', models.JSONField(default=list)),
                ('force', models.BooleanField(default=False)),
                ('state', models.TextField(choices=[('held', 'held'), ('waiting', 'waiting'), ('published', 'published'), ('exists', 'exists'), ('conflict', 'conflict'), ('refused', 'refused')], default='waiting')),
                ('batch', models.UUIDField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('is_suspect', models.BooleanField(default=False)),
                ('errors', models.JSONField(default=list)),
                ('version', models.BigIntegerField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('artifact', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='core.artifact')),
                ('distribution', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='conda.condadistribution')),
                ('pulp_domain', models.ForeignKey(default=pulpcore.app.util.get_domain_pk, on_delete=django.db.models.deletion.CASCADE, to='core.domain')),
                ('repository', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='conda.condarepository')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('pulp_created', 'pk'),
                'default_related_name': '%(app_label)s_%(model_name)s',
                'indexes': [models.Index(condition=models.Q(('decided_at', None)), fields=['repository'], name='conda_uploads_undecided'), models.Index(fields=['decided_at'], name='conda_uploads_decided'), models.Index(condition=models.Q(('batch', None), _negated=True), fields=['batch'], name='conda_uploads_batch')],
            },
            bases=(django_lifecycle.mixins.LifecycleModelMixin, models.Model),
        ),
    ]
