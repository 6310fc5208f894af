from django.db import migrations, models
from django.db.models.functions import Now

TABLES = {
    "moderation_events_are_append_only": "pool_moderationevent",
    "bulk_actions_are_append_only": "pool_bulkaction",
    "category_events_are_append_only": "pool_categoryevent",
}
FUNCTION = """
    CREATE FUNCTION pool_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: undo by one more row', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
"""


class Migration(migrations.Migration):
    """What moderators did stays written down, whoever connects to the database; and what was taken down stays out."""

    dependencies = [("pool", "0008_what_play_uses_up_is_counted")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION pool_refuse_change()"),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION pool_refuse_change()",
                f"DROP TRIGGER {name} ON {table}",
            )
            for name, table in TABLES.items()
        ),
        migrations.CreateModel(
            name="BannedText",
            fields=[
                ("fingerprint", models.BinaryField(help_text="game.pool.rules.fingerprint of the text.", max_length=16, primary_key=True, serialize=False)),
                ("note", models.CharField(help_text="By what it was banned: the number of a receipt.", max_length=40)),
                ("at", models.DateTimeField(db_default=Now())),
            ],
        ),
    ]
