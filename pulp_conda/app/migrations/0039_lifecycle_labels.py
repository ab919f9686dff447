import django.contrib.postgres.fields.hstore
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0038_channel_condition'),
    ]

    operations = [
        migrations.AddField(
            model_name='condalifecycle',
            name='pulp_labels',
            field=django.contrib.postgres.fields.hstore.HStoreField(default=dict),
        ),
    ]
