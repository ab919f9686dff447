from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("conda", "0028_publication_layout")]

    operations = [
        migrations.AddField(
            model_name="condadistribution",
            name="upload_alias",
            field=models.TextField(null=True, unique=True),
        ),
    ]
