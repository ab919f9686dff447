"""Rows for `COPY`, in its text format (PostgreSQL's documentation of COPY, "Text Format").

psycopg writes rows as well, value by value. Here the values are texts already, and those of thousands of rows are joined and
escaped at once, which is a third of the work.
"""

# Instead of NULL, as no text in PostgreSQL has it.
NULL = "\0"

# What stands between values and rows, and so not inside of values.
_MARKS = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_rows(cursor, statement, rows):
    """Execute a `COPY … FROM STDIN` of rows: tuples of as many texts each."""
    if rows:
        with cursor.copy(statement) as copy:
            copy.write(as_text(rows))


def as_text(rows):
    """Return rows as `COPY` reads them."""
    text = _joined(rows)
    is_plain = (
        text.count("\t") == len(rows) * (len(rows[0]) - 1)
        and text.count("\n") == len(rows)
        and "\r" not in text
    )
    if not is_plain:
        # Of conda-forge's records not one has such a value.
        text = _joined(
            [[value.replace("\\", "\\\\").translate(_MARKS) for value in row] for row in rows]
        )
        return text.replace(NULL, "\\N")
    return text.replace("\\", "\\\\").replace(NULL, "\\N")


def as_number(number):
    """Return a value of a column for whole numbers, which may be NULL."""
    return NULL if number is None else str(number)


def as_array(texts):
    """Return a value of the type `text[]`."""
    if any(mark in text for text in texts for mark in '"\\'):
        texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return '{"%s"}' % '","'.join(texts) if texts else "{}"


def _joined(rows):
    return "\n".join(map("\t".join, rows)) + "\n"
