from django.db import migrations

import pulpcore.app.models.fields

from pulp_conda.channel.secrets import mask, mask_headers


def mask_remotes(apps, schema_editor):
    """Keep the URLs and headers of remotes encrypted, and mask them in the rows of pulpcore."""
    for remote in apps.get_model("conda", "CondaRemote").objects.all():
        remote.unmasked = {"url": remote.url, "headers": remote.headers}
        remote.url = mask(remote.url)
        remote.headers = remote.headers and [mask_headers(header) for header in remote.headers]
        remote.save()


def unmask_remotes(apps, schema_editor):
    for remote in apps.get_model("conda", "CondaRemote").objects.exclude(unmasked=None):
        remote.url, remote.headers = remote.unmasked["url"], remote.unmasked["headers"]
        remote.save()


class Migration(migrations.Migration):

    dependencies = [
        ('conda', '0010_blocks'),
    ]

    operations = [
        migrations.AddField(
            model_name='condaremote',
            name='unmasked',
            field=pulpcore.app.models.fields.EncryptedJSONField(null=True),
        ),
        migrations.RunPython(mask_remotes, unmask_remotes, elidable=True),
    ]
