from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("duel", "0003_column_worker")]

    operations = [
        migrations.AddField(
            model_name="prompt",
            name="closed_until",
            field=models.DateTimeField(blank=True, help_text="A class guesses which texts are its answers.", null=True),
        ),
    ]
