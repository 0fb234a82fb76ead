"""SQLAlchemy on psycopg2 and asyncpg, unmodified, over few servers and straight at the primary."""
import asyncio
import concurrent.futures
import datetime
import decimal

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

Base = orm.declarative_base()


class Author(Base):
    __tablename__ = "sa_authors"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50), nullable=False, unique=True)
    kind = sa.Column(sa.Enum("person", "robot", name="sa_kind"), server_default="person")
    tags = sa.Column(pg.ARRAY(sa.Text))
    doc = sa.Column(pg.JSONB)
    made = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
    balance = sa.Column(sa.Numeric(10, 2), default=0)
    version = sa.Column(sa.Integer, nullable=False)
    books = orm.relationship("Book", back_populates="author", cascade="all, delete-orphan", order_by="Book.id")
    __mapper_args__ = {"version_id_col": version}


class Book(Base):
    __tablename__ = "sa_books"
    id = sa.Column(sa.Integer, primary_key=True)
    title = sa.Column(sa.Text, index=True)
    pages = sa.Column(sa.Integer, sa.CheckConstraint("pages > 0", name="sa_pages"))
    author_id = sa.Column(sa.ForeignKey("sa_authors.id", ondelete="CASCADE"))
    author = orm.relationship(Author, back_populates="books")


@pytest.fixture
def engine(url):
    made = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"), pool_size=8, max_overflow=4)
    Base.metadata.drop_all(made)
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def with_books(session, count=10):
    session.add_all(Author(name=f"author {n}", balance=n, tags=["a", str(n)], doc={"n": n},
                           books=[Book(title=f"book {n}.{k}", pages=k + 1) for k in range(3)]) for n in range(count))
    session.commit()


def test_create_all_and_reflection(engine):
    Base.metadata.create_all(engine)     # asks what is there, makes nothing
    inspector = sa.inspect(engine)
    assert {"sa_authors", "sa_books"} <= set(inspector.get_table_names())
    assert [c["name"] for c in inspector.get_columns("sa_books")] == ["id", "title", "pages", "author_id"]
    assert inspector.get_pk_constraint("sa_books")["constrained_columns"] == ["id"]
    assert inspector.get_foreign_keys("sa_books")[0]["referred_table"] == "sa_authors"
    assert [i["column_names"] for i in inspector.get_indexes("sa_books")] == [["title"]]
    assert inspector.get_check_constraints("sa_books")[0]["sqltext"] == "pages > 0"
    assert inspector.get_unique_constraints("sa_authors")[0]["column_names"] == ["name"]
    assert [e["labels"] for e in inspector.get_enums() if e["name"] == "sa_kind"] == [["person", "robot"]]
    found = sa.Table("sa_authors", sa.MetaData(), autoload_with=engine)
    assert isinstance(found.c.doc.type, pg.JSONB) and isinstance(found.c.tags.type, pg.ARRAY)
    everything = sa.MetaData()
    everything.reflect(engine)
    assert "sa_books" in everything.tables


def test_orm(engine):
    with orm.Session(engine) as session:
        with_books(session)
        assert session.query(Author).filter(Author.doc["n"].as_integer() == 4).one().name == "author 4"
        assert session.query(Author).filter(Author.tags.contains(["7"])).one().balance == decimal.Decimal("7.00")
        author = session.execute(sa.select(Author).options(orm.selectinload(Author.books)).where(Author.name == "author 3")).scalar_one()
        assert [b.title for b in author.books] == ["book 3.0", "book 3.1", "book 3.2"]
        author.books.pop(0)
        author.books.append(Book(title="new", pages=9))
        author.kind = "robot"
        session.commit()
        assert author.version == 2 and [b.title for b in author.books] == ["book 3.1", "book 3.2", "new"]
        joined = session.query(Author.name, sa.func.sum(Book.pages)).join(Book).group_by(Author.name).order_by(Author.name).limit(2).all()
        assert joined == [("author 0", 6), ("author 1", 6)]
        session.delete(author)
        session.commit()
        assert session.query(Book).count() == 27
        assert session.query(Author).filter(Author.made > datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)).count() == 9


def test_session_rolls_back(engine):
    with orm.Session(engine) as session:
        with_books(session, 2)
        session.add(Author(name="author 0"))
        with pytest.raises(sa.exc.IntegrityError) as e:
            session.commit()
        assert e.value.orig.pgcode == "23505"
        session.rollback()
        assert session.query(Author).count() == 2
        session.add(Book(title="bad", pages=0))
        with pytest.raises(sa.exc.IntegrityError):
            session.flush()
        session.rollback()


def test_savepoints(engine):
    with orm.Session(engine) as session:
        with session.begin():
            session.add(Author(name="kept"))
            with pytest.raises(sa.exc.IntegrityError):
                with session.begin_nested():
                    session.add(Author(name="kept"))
            with session.begin_nested():
                session.add(Author(name="too"))
            nested = session.begin_nested()
            session.add(Author(name="lost"))
            nested.rollback()
        assert [n for n, in session.query(Author.name).order_by(Author.name)] == ["kept", "too"]


def test_optimistic_locking(engine):
    with orm.Session(engine) as one, orm.Session(engine) as two:
        with_books(one, 1)
        mine, theirs = one.query(Author).one(), two.query(Author).one()
        mine.balance, theirs.balance = 1, 2
        one.commit()
        with pytest.raises(orm.exc.StaleDataError):
            two.commit()


def test_core(engine):
    authors = Author.__table__
    with engine.begin() as c:
        c.execute(authors.insert(), [{"name": f"n{n}", "version": 1} for n in range(500)])
        again = pg.insert(authors).values(name="n1", version=7)
        again = again.on_conflict_do_update(index_elements=["name"], set_={"version": again.excluded.version}).returning(authors.c.version)
        assert c.execute(again).scalar() == 7
        assert c.execute(authors.update().where(authors.c.name.in_(["n2", "n3"])).values(version=authors.c.version + 1)).rowcount == 2
        total = sa.select(sa.func.sum(authors.c.version), sa.func.row_number().over()).select_from(authors)
        assert c.execute(total).first()[0] == 508
    with engine.connect() as c:
        assert c.execute(sa.text("SELECT count(*) FROM sa_authors WHERE version > :v"), {"v": 1}).scalar() == 3
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        for n in range(10):
            assert c.execute(sa.text("SELECT :n"), {"n": n}).scalar() == n


def test_server_side_cursors(engine):
    with engine.connect() as c:
        result = c.execution_options(stream_results=True, max_row_buffer=50).execute(sa.text("SELECT n FROM generate_series(1, 1000) n"))
        assert next(iter(result))[0] == 1
        assert [n for n, in result] == list(range(2, 1001))
    with orm.Session(engine) as session:
        with_books(session)
        names = [a.name for a in session.query(Author).order_by(Author.id).yield_per(3)]
        assert names == [f"author {n}" for n in range(10)]


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED"])
def test_isolation_levels(engine, level):
    for _ in range(5):
        with engine.connect().execution_options(isolation_level=level) as c:
            assert c.execute(sa.text("SHOW transaction_isolation")).scalar() == level.lower()
    with engine.connect() as c:
        assert c.execute(sa.text("SHOW transaction_isolation")).scalar() == "read committed"
    with engine.connect().execution_options(postgresql_readonly=True, postgresql_deferrable=True, isolation_level=level) as c:
        assert c.execute(sa.text("SHOW transaction_read_only")).scalar() == "on"


def test_two_phase(engine):
    with engine.connect() as c:
        transaction = c.begin_twophase()
        c.execute(Author.__table__.insert(), {"name": "two", "version": 1})
        transaction.prepare()
        assert transaction.xid in c.recover_twophase()
        transaction.commit()
    with engine.connect() as c:
        assert c.execute(sa.text("SELECT count(*) FROM sa_authors")).scalar() == 1


def test_locks(engine):
    with orm.Session(engine) as one, orm.Session(engine) as two:
        with_books(one, 2)
        assert one.query(Author).filter_by(name="author 0").with_for_update().one()
        with pytest.raises(sa.exc.OperationalError):
            two.query(Author).filter_by(name="author 0").with_for_update(nowait=True).one()
        two.rollback()
        assert [a.name for a in two.query(Author).with_for_update(skip_locked=True)] == ["author 1"]


def test_events_of_the_pool(url):
    """Settings that an application makes when a connection begins hold as long as the connection."""
    engine = sa.create_engine(url, pool_size=6, pool_pre_ping=True)

    @sa.event.listens_for(engine, "connect")
    def begin(connection, _):
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = pg_catalog, public; SET TIME ZONE 'Asia/Tokyo'")
        connection.commit()

    try:
        for _ in range(5):
            with engine.connect() as a, engine.connect() as b:
                for c in a, b:
                    assert c.execute(sa.text("SHOW search_path")).scalar() == "pg_catalog, public"
                    assert c.execute(sa.text("SHOW timezone")).scalar() == "Asia/Tokyo"
    finally:
        engine.dispose()


def test_many_threads(engine):
    def work(who):
        for n in range(8):
            with orm.Session(engine) as session:
                author = Author(name=f"{who}.{n}", books=[Book(title="x", pages=who + 1)])
                session.add(author)
                session.commit()
                assert author.id and author.books[0].pages == who + 1
                assert session.query(Author).filter(Author.name.like(f"{who}.%")).count() == n + 1

    with concurrent.futures.ThreadPoolExecutor(12) as crowd:
        list(crowd.map(work, range(12)))


def test_asyncpg(url):
    async def main():
        engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=8)
        async with engine.begin() as c:
            await c.run_sync(Base.metadata.drop_all)
            await c.run_sync(Base.metadata.create_all)
            assert "sa_books" in await c.run_sync(lambda sync: sa.inspect(sync).get_table_names())

        async def work(who):
            for n in range(6):
                async with AsyncSession(engine, expire_on_commit=False) as session:
                    session.add(Author(name=f"{who}.{n}", balance=decimal.Decimal("1.50"), doc={"who": who}, tags=["x"], books=[Book(title="x", pages=1)]))
                    await session.commit()
                    found = (await session.execute(sa.select(Author).options(orm.selectinload(Author.books)).where(Author.name == f"{who}.{n}"))).scalar_one()
                    assert found.doc == {"who": who} and found.tags == ["x"] and len(found.books) == 1
                    with pytest.raises(sa.exc.IntegrityError):
                        async with session.begin_nested():
                            session.add(Author(name=f"{who}.{n}"))
                            await session.flush()
                    await session.rollback()

        await asyncio.gather(*(work(who) for who in range(10)))
        async with engine.connect() as c:
            result = await c.stream(sa.text("SELECT n FROM generate_series(1, 300) n"))
            assert [n async for n, in result] == list(range(1, 301))
            assert (await c.execute(sa.select(sa.func.count()).select_from(Author))).scalar() == 60
        await engine.dispose()

    asyncio.run(asyncio.wait_for(main(), 50))
