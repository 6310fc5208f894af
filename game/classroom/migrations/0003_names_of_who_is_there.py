from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("classroom", "0002_texts_dealt_at_most")]

    operations = [
        migrations.RemoveConstraint(model_name="seat", name="seat_name_once"),
        migrations.AddConstraint(
            model_name="seat",
            constraint=models.UniqueConstraint(
                "session", Upper("name"), condition=models.Q(kicked_at__isnull=True), name="seat_name_once"
            ),
        ),
    ]
