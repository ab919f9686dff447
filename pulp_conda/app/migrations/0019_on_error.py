from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0018_repodata_form'),
    ]

    operations = [
        migrations.AddField(
            model_name='condaremote',
            name='on_error',
            field=models.TextField(choices=[('fail', 'fail'), ('skip', 'skip')], default='fail'),
        ),
    ]
