import django.contrib.postgres.indexes
import django.db.models.deletion
import django_lifecycle.mixins
import pulpcore.app.models.base
import pulpcore.app.util
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0011_masked_remotes'),
        ('core', '0161_upstreampulp_remote_policy'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CondaAct',
            fields=[
                ('pulp_id', models.UUIDField(default=pulpcore.app.models.base.pulp_uuid, editable=False, primary_key=True, serialize=False)),
                ('pulp_created', models.DateTimeField(auto_now_add=True)),
                ('pulp_last_updated', models.DateTimeField(auto_now=True, null=True)),
                ('verb', models.TextField(choices=[('created', 'created'), ('updated', 'updated'), ('deleted', 'deleted'), ('changed_content', 'changed_content'), ('deleted_version', 'deleted_version'), ('moved', 'moved'), ('granted', 'granted'), ('revoked', 'revoked')])),
                ('resource', models.TextField(db_index=True)),
                ('resource_name', models.TextField()),
                ('details', models.JSONField(default=dict)),
                ('actor_name', models.TextField(default='')),
                ('task', models.UUIDField(null=True)),
                ('task_name', models.TextField(default='')),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('pulp_domain', models.ForeignKey(default=pulpcore.app.util.get_domain_pk, on_delete=django.db.models.deletion.CASCADE, to='core.domain')),
            ],
            options={
                'default_related_name': '%(app_label)s_%(model_name)s',
                'indexes': [django.contrib.postgres.indexes.BrinIndex(fields=['pulp_created'], name='conda_act_times')],
            },
            bases=(django_lifecycle.mixins.LifecycleModelMixin, models.Model),
        ),
    ]
