from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0033_refresh'),
    ]

    operations = [
        migrations.AddField(
            model_name='condarepository',
            name='selection',
            field=models.JSONField(null=True),
        ),
    ]
