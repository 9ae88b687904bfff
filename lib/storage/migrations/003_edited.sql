-- An edit is not an acceptance ('edited'), and a decision can be taken back ('open'). Old rows keep their status.
ALTER TABLE corebox.revision DROP CONSTRAINT revision_status_check;
ALTER TABLE corebox.revision ADD CONSTRAINT revision_status_check
    CHECK (status IN ('accepted', 'refused', 'bad', 'unsure', 'edited', 'open'));
