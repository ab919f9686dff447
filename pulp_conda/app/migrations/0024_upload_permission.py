from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0023_uploads'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='condarepository',
            options={
                'default_related_name': '%(app_label)s_%(model_name)s',
                'permissions': [
                    ('sync_condarepository', 'Can start a sync task'),
                    ('modify_condarepository', 'Can modify content of the repository'),
                    ('upload_condarepository', 'Can add packages to the repository'),
                    ('manage_roles_condarepository', 'Can manage roles on conda repositories'),
                    ('repair_condarepository', 'Can repair repository versions'),
                ],
            },
        ),
    ]
