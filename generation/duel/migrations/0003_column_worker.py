from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('duel', '0002_completion_unfit'),
    ]

    operations = [
        migrations.AddField(
            model_name='column',
            name='worker',
            field=models.CharField(blank=True, help_text='Who claimed it last: the name of a generation.Worker.', max_length=120),
        ),
    ]
