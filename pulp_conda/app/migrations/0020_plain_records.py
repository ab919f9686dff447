from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0019_on_error'),
    ]

    operations = [
        migrations.AddField(
            model_name='condapackage',
            name='is_plain',
            field=models.BooleanField(null=True),
        ),
    ]
