-- Where a handler is defined, as debug information says: a path as the compiler was given it, and the
-- line. NULL: there is none, or it was not read yet.
ALTER TABLE sites ADD COLUMN file TEXT;
ALTER TABLE sites ADD COLUMN line INTEGER;
