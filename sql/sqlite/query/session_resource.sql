-- OTEL_RESOURCE_ATTRIBUTES of a session, as it stands.
SELECT resource FROM sessions WHERE session = :session;
