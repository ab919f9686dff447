from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0017_without_shards'),
    ]

    operations = [
        migrations.AddField(
            model_name='condaremote',
            name='repodata_form',
            field=models.TextField(
                choices=[('auto', 'auto'), ('shards', 'shards'), ('flat', 'flat')], default='auto'
            ),
        ),
    ]
