from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0014_subdirs'),
    ]

    operations = [
        migrations.AddField(
            model_name='condapackageinfo',
            name='md5',
            field=models.CharField(max_length=32, null=True),
        ),
    ]
