from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0008_vocabulary'),
    ]

    operations = [
        migrations.AddField(
            model_name='condapatch',
            name='credit',
            field=models.TextField(default=''),
        ),
        migrations.AddField(
            model_name='condaremote',
            name='trust_dates',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='indexedfile',
            name='believed_timestamp',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='indexedfile',
            name='seen_timestamp',
            field=models.BigIntegerField(null=True),
        ),
    ]
