from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0016_source_urls'),
    ]

    operations = [
        migrations.AddField(
            model_name='condarepository',
            name='shards',
            field=models.BooleanField(default=True),
        ),
    ]
