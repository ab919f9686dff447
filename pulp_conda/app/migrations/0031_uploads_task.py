from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0030_publishers'),
    ]

    operations = [
        migrations.AddField(
            model_name='condaupload',
            name='task',
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name='condaupload',
            index=models.Index(condition=models.Q(('task', None), _negated=True), fields=['task'], name='conda_uploads_task'),
        ),
    ]
