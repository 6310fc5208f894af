import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('moderation', '0001_initial'),
        ('pool', '0007_a_queue_in_stages'),
    ]

    operations = [
        migrations.AlterField(
            model_name='review',
            name='verdict',
            field=models.CharField(choices=[('approve', 'Approve'), ('reject', 'Reject'), ('flag', 'somebody else should look')], max_length=7),
        ),
        # Nothing has written reviews yet, so none lacks its event.
        migrations.AddField(
            model_name='review',
            name='event',
            field=models.OneToOneField(help_text='By which it was logged.', on_delete=django.db.models.deletion.PROTECT, related_name='review', to='pool.moderationevent'),
        ),
    ]
