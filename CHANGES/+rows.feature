Made first syncs an eighth cheaper, by writing rows as text and inserting memberships in the order of their keys.
