import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0034_selection'),
    ]

    operations = [
        migrations.AddField(
            model_name='condarepository',
            name='convert',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='condapackageinfo',
            name='converted_from',
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddIndex(
            model_name='condapackageinfo',
            index=models.Index(condition=models.Q(('converted_from', None), _negated=True), fields=['converted_from'], name='conda_info_converted_from'),
        ),
        migrations.AddField(
            model_name='condaupload',
            name='converted_from',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='conda.condapackage'),
        ),
        migrations.AlterField(
            model_name='condaupload',
            name='state',
            field=models.TextField(choices=[('held', 'held'), ('converting', 'converting'), ('waiting', 'waiting'), ('published', 'published'), ('exists', 'exists'), ('conflict', 'conflict'), ('refused', 'refused')], default='waiting'),
        ),
    ]
