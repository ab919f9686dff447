import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0015_file_md5'),
    ]

    operations = [
        migrations.AddField(
            model_name='condapackageinfo',
            name='source_urls',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
        ),
    ]
