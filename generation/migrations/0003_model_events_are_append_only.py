from django.db import migrations

REMEMBER = """
    INSERT INTO generation_modelevent (model_version_id, action, before, after, reason)
    SELECT id, 'promotion', 'candidate', 'active', 'it was active when events were first written down'
      FROM generation_modelversion WHERE state = 'active'
"""
PROTECT = """
    CREATE FUNCTION generation_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: undo by one more event', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER model_events_are_append_only BEFORE UPDATE OR DELETE ON generation_modelevent
    FOR EACH ROW EXECUTE FUNCTION generation_refuse_change();
"""
UNPROTECT = """
    DROP TRIGGER model_events_are_append_only ON generation_modelevent;
    DROP FUNCTION generation_refuse_change();
"""


class Migration(migrations.Migration):
    """A rollback reads the events, so each active model needs one; and what happened stays written down."""

    dependencies = [("generation", "0002_corpora_and_model_events")]

    operations = [
        migrations.RunSQL(REMEMBER, migrations.RunSQL.noop),
        migrations.RunSQL(PROTECT, UNPROTECT),
    ]
