from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0014_subdirs'),
    ]

    operations = [
        migrations.AddField(
            model_name='condapackage',
            name='is_plain',
            field=models.BooleanField(null=True),
        ),
    ]
