import django.db.models.deletion
import pulpcore.app.models.access_policy
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0026_failed_logins'),
        ('core', '0161_upstreampulp_remote_policy'),
    ]

    operations = [
        migrations.CreateModel(
            name='CondaContentGuard',
            fields=[
                ('contentguard_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='core.contentguard')),
            ],
            options={
                'permissions': [('manage_roles_condacontentguard', 'Can manage roles on conda content guards')],
                'default_related_name': '%(app_label)s_%(model_name)s',
            },
            bases=('core.contentguard', pulpcore.app.models.access_policy.AutoAddObjPermsMixin),
        ),
        migrations.AlterModelOptions(
            name='condadistribution',
            options={'default_related_name': '%(app_label)s_%(model_name)s', 'permissions': [('manage_roles_condadistribution', 'Can manage roles on conda distributions'), ('read_condadistribution', 'Can read the channel if it is private')]},
        ),
        migrations.AlterModelOptions(
            name='condalifecycle',
            options={'default_related_name': '%(app_label)s_%(model_name)s', 'permissions': [('promote_condalifecycle', 'Can promote a stage to the next one'), ('jump_condalifecycle', 'Can promote past stages'), ('promote_packages_condalifecycle', 'Can promote single packages'), ('rollback_condalifecycle', 'Can roll a stage back'), ('override_condalifecycle', 'Can override gates'), ('approve_condalifecycle', 'Can answer requests for approval'), ('manage_roles_condalifecycle', 'Can manage roles on conda lifecycles'), ('read_condalifecycle', 'Can read the stages that are private')]},
        ),
        migrations.AlterModelOptions(
            name='condarepository',
            options={'default_related_name': '%(app_label)s_%(model_name)s', 'permissions': [('sync_condarepository', 'Can start a sync task'), ('modify_condarepository', 'Can modify content of the repository'), ('upload_condarepository', 'Can add packages to the repository'), ('manage_roles_condarepository', 'Can manage roles on conda repositories'), ('repair_condarepository', 'Can repair repository versions'), ('read_condarepository', 'Can read the channels that serve it and are private')]},
        ),
    ]
