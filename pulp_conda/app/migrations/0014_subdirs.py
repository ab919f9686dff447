import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0013_cors_origins'),
    ]

    operations = [
        migrations.AddField(
            model_name='condarepository',
            name='subdirs',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
        ),
    ]
