"""Connections, the tenant of a request, and what errors of the database mean to a visitor.

The pool connects as one role that owns nothing. Each request is one transaction that first says for which tenant it works;
row security does the rest, and the end of the transaction takes the tenant away again. So one pool serves all tenants, also
behind PgBouncer in transaction mode. Refuses roles that row security does not apply to.
"""

import logging
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

log = logging.getLogger("web")

# What a visitor can understand and act on; everything else is logged and answered with "internal error".
STATUS_OF_SQLSTATE = {
    "0A000": 400,  # the document is encrypted, or a picture
    "22023": 400,  # an argument
    "38000": 400,  # a text or document that cannot be processed
    "42501": 403,  # no right
    "42704": 404,  # no such corpus
    "53200": 503,  # too many requests, or no memory
    "53300": 503,  # too many connections
    "53400": 503,  # no worker slot
    "54000": 413,  # too long
    "55000": 503,  # the corpus is broken
    "57014": 504,  # statement_timeout
    "57P01": 503,  # the server is shutting down
    "57P03": 503,  # the engine or the server is starting
    "58P01": 503,  # ONNX Runtime or a model file is missing
}

# Row security does not apply to these, and neither do the policies of the example.
UNSAFE_ROLE = """
    SELECT rolsuper OR rolbypassrls
        OR EXISTS (SELECT FROM pg_class WHERE relnamespace = 'web'::regnamespace AND pg_has_role(relowner, 'USAGE')) AS unsafe
    FROM pg_roles WHERE rolname = current_user"""


class Unavailable(Exception):
    """The database cannot be reached."""


class CannotStart(Exception):
    """The application must not, or cannot, run as it was started."""


class UnknownTenant(Exception):
    """There is no such tenant."""


class Session:
    """One transaction for one tenant, and the notices that it has received."""

    def __init__(self, connection):
        self.connection = connection
        self.notices = []

    def notice(self, diagnostic):
        self.notices.append(diagnostic.message_primary)

    async def rows(self, sql, parameters=None):
        cursor = await self.connection.execute(sql, parameters)
        return await cursor.fetchall()

    async def row(self, sql, parameters=None):
        cursor = await self.connection.execute(sql, parameters)
        return await cursor.fetchone()

    async def stream(self, sql, parameters):
        """Rows as the server sends them. Whoever stops reading ends the statement."""
        async with self.connection.cursor() as cursor:
            rows = cursor.stream(sql, parameters)
            try:
                async for row in rows:
                    yield row
            finally:
                await rows.aclose()


class Database:
    """The pool. Server, user and password come from PGHOST, PGUSER, PGPASSWORD and the like."""

    def __init__(self, size=8):
        self.pool = AsyncConnectionPool(
            open=False,
            min_size=1,
            max_size=size,
            timeout=5,
            # A server that was restarted has closed the connections of the pool.
            check=AsyncConnectionPool.check_connection,
            # PgBouncer in transaction mode before version 1.21 knows no prepared statements.
            kwargs={"row_factory": dict_row, "prepare_threshold": None, "application_name": "socle web example"},
        )

    async def open(self):
        await self.pool.open()
        try:
            async with self.session("") as session:
                unsafe = await session.row(UNSAFE_ROLE)
            if unsafe["unsafe"]:
                raise CannotStart(
                    "row security does not apply to this role (superuser, BYPASSRLS, or owner of the tables): "
                    "connect as web_app, with PGUSER=web_app"
                )
        except Unavailable:
            why = "the database cannot be reached: see the messages above, and check PGHOST, PGDATABASE and PGUSER"
            await self.close()
            raise CannotStart(why) from None
        except BaseException:
            # The tasks of a pool that is open would keep the process from ending.
            await self.close()
            raise

    async def close(self):
        await self.pool.close()

    @asynccontextmanager
    async def session(self, tenant):
        """A transaction in which row security knows the tenant. The empty text is none: what is for everybody."""
        try:
            async with self.pool.connection() as connection:
                session = Session(connection)
                connection.add_notice_handler(session.notice)
                try:
                    if tenant:
                        # Local to the transaction: the next one on this connection starts without a tenant.
                        set_tenant = "SELECT set_config('web.tenant', name, true) FROM web.tenant WHERE name = %s"
                        if await session.row(set_tenant, [tenant]) is None:
                            raise UnknownTenant
                    yield session
                finally:
                    connection.remove_notice_handler(session.notice)
        except PoolTimeout as error:
            raise Unavailable from error


def visible_error(error):
    """HTTP status and what is told of an error; the rest is logged."""
    if isinstance(error, UnknownTenant):
        return 403, {"message": "There is no such customer."}
    if isinstance(error, Unavailable):
        return 503, {"message": "The database cannot be reached.", "hint": "It may be starting. Try again in a moment."}
    sqlstate = getattr(error, "sqlstate", None)
    status = STATUS_OF_SQLSTATE.get(sqlstate)
    if status is None and isinstance(error, psycopg.OperationalError):
        log.warning("connection lost: %s", error)
        return 503, {"message": "The connection to the database was lost.", "hint": "Try again in a moment."}
    if status is None:
        log.error("unexpected error", exc_info=error)
        return 500, {"message": "Internal error.", "hint": "The log of the application says more."}
    log.warning("%s: %s", sqlstate, error.diag.message_primary)
    return status, {"message": error.diag.message_primary, "hint": error.diag.message_hint, "sqlstate": sqlstate}
