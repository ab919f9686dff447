from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0021_tokens'),
    ]

    operations = [
        migrations.AlterField(
            model_name='webhookdelivery',
            name='event',
            field=models.TextField(choices=[('promoted', 'promoted'), ('rolled_back', 'rolled_back'), ('gate_failed', 'gate_failed'), ('approval_wanted', 'approval_wanted'), ('blocked', 'blocked'), ('unblocked', 'unblocked')]),
        ),
    ]
