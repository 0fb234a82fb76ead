// node-postgres and what is made for it (pg-cursor, pg-query-stream, pg-copy-streams) against DATABASE_URL: see harness.js.
'use strict';
const assert = require('node:assert');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { Client, Pool, types } = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const copy = require('pg-copy-streams');
const { run, range, sleep } = require('./harness.js');

const connectionString = process.env.DATABASE_URL;

async function opened(options, body) {
  const client = new Client({ connectionString, ...options });
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

async function pooled(max, body) {
  const pool = new Pool({ connectionString, max });
  try {
    return await body(pool);
  } finally {
    await pool.end();
  }
}

const fresh = (c, name, columns) => c.query(`DROP TABLE IF EXISTS ${name}; CREATE TABLE ${name} (${columns})`);

const tests = {
  async 'types, as text'(c) {
    const values = [1, '9007199254740993', 1.5, '1.50', true, 'é€', Buffer.from([0, 255]), new Date(1e12), [1, 2], { a: [1, null] }, null];
    const kinds = ['int4', 'int8', 'float8', 'numeric', 'bool', 'text', 'bytea', 'timestamptz', 'int4[]', 'jsonb', 'date'];
    const { rows, fields } = await c.query({ text: `SELECT ${kinds.map((k, i) => `$${i + 1}::${k}`)}`, values, rowMode: 'array' });
    assert.deepStrictEqual(rows[0], values);
    return fields.map((f) => [f.name, f.dataTypeID, f.format]);
  },
  async 'types, binary'(c) {
    const { rows, fields } = await c.query({ text: 'SELECT $1::int4 AS n, $2::bool AS b, $3::text AS t, $4::float8 AS f', values: [7, true, 'x', 2.5], binary: true });
    assert.deepStrictEqual(rows[0], { n: 7, b: true, t: 'x', f: 2.5 });
    return fields.map((f) => f.format);
  },
  async 'named statements on many clients'() {
    await pooled(10, async (pool) => {
      for (let turn = 0; turn < 8; turn++) {
        const all = await Promise.all(range(30, (i) => pool.query({ name: `q${i % 3}`, text: `SELECT $1::int + ${i % 3} AS n`, values: [i] })));
        assert.deepStrictEqual(all.map((r) => r.rows[0].n), range(30, (i) => i + i % 3));
      }
    });
  },
  async 'one name, two texts, two clients'() {
    await opened({}, (a) => opened({}, async (b) => {
      for (let i = 0; i < 15; i++) {
        assert.strictEqual((await a.query({ name: 'same', text: 'SELECT $1::int AS n', values: [i] })).rows[0].n, i);
        assert.strictEqual((await b.query({ name: 'same', text: 'SELECT $1::text AS t', values: [`t${i}`] })).rows[0].t, `t${i}`);
      }
    }));
  },
  async 'a pool: transactions by many'() {
    await pooled(10, async (pool) => {
      await fresh(pool, 'np_sums', 'who int, n int');
      await Promise.all(range(25, async (who) => {
        const c = await pool.connect();
        try {
          await c.query('BEGIN');
          for (let n = 0; n < 5; n++) {
            await c.query('INSERT INTO np_sums VALUES ($1, $2)', [who, n]);
            assert.strictEqual((await c.query('SELECT count(*)::int AS n FROM np_sums WHERE who = $1', [who])).rows[0].n, n + 1);
          }
          await c.query(who % 5 === 0 ? 'ROLLBACK' : 'COMMIT');
        } finally {
          c.release();
        }
      }));
      assert.strictEqual((await pool.query('SELECT count(*)::int AS n FROM np_sums')).rows[0].n, 100);
    });
  },
  async 'savepoints and a failed transaction'(c) {
    await fresh(c, 'np_save', 'n int PRIMARY KEY');
    await c.query('BEGIN');
    await c.query('INSERT INTO np_save VALUES (1)');
    await c.query('SAVEPOINT s');
    await assert.rejects(c.query('INSERT INTO np_save VALUES ($1)', [1]), { code: '23505', constraint: 'np_save_pkey', table: 'np_save' });
    await assert.rejects(c.query('SELECT 1'), { code: '25P02' });
    await c.query('ROLLBACK TO SAVEPOINT s');
    await c.query('INSERT INTO np_save VALUES (2)');
    await c.query('COMMIT');
    assert.deepStrictEqual((await c.query('SELECT n FROM np_save ORDER BY n')).rows.map((r) => r.n), [1, 2]);
  },
  async 'pg-cursor in and outside a transaction'(c) {
    for (const within of [true, false]) {
      if (within) await c.query('BEGIN');
      const cursor = c.query(new Cursor('SELECT n FROM generate_series(1, $1::int) n', [250]));
      const sizes = [];
      let sum = 0;
      for (;;) {
        const rows = await cursor.read(100);
        if (!rows.length) break;
        sizes.push(rows.length);
        for (const r of rows) sum += r.n;
      }
      await cursor.close();
      assert.deepStrictEqual([sizes, sum], [[100, 100, 50], 250 * 251 / 2]);
      if (within) await c.query('COMMIT');
    }
  },
  async 'pg-cursor closed early'(c) {
    for (let i = 0; i < 5; i++) {
      const cursor = c.query(new Cursor('SELECT n FROM generate_series(1, 100000) n'));
      assert.deepStrictEqual((await cursor.read(3)).map((r) => r.n), [1, 2, 3]);
      await cursor.close();
      assert.strictEqual((await c.query('SELECT $1::int AS n', [i])).rows[0].n, i);
    }
    const bad = c.query(new Cursor('SELECT 1 / (5 - n) AS n FROM generate_series(1, 10) n'));
    await assert.rejects(async () => { for (;;) if (!(await bad.read(2)).length) break; }, { code: '22012' });
    assert.strictEqual((await c.query('SELECT 1 AS n')).rows[0].n, 1);
  },
  async 'many cursors at a time'() {
    await pooled(8, async (pool) => {
      const sums = await Promise.all(range(16, async (k) => {
        const c = await pool.connect();
        try {
          let sum = 0;
          const cursor = c.query(new Cursor('SELECT n + $1::int AS n FROM generate_series(1, 30) n', [k]));
          for (let rows; (rows = await cursor.read(7)).length;) for (const r of rows) sum += r.n;
          await cursor.close();
          return sum;
        } finally {
          c.release();
        }
      }));
      assert.deepStrictEqual(sums, range(16, (k) => 465 + 30 * k));
    });
  },
  async 'pg-query-stream'(c) {
    let sum = 0;
    for await (const row of c.query(new QueryStream('SELECT n FROM generate_series(1, $1::int) n', [3000], { batchSize: 128, highWaterMark: 64 }))) sum += row.n;
    assert.strictEqual(sum, 3000 * 3001 / 2);
    const stream = c.query(new QueryStream('SELECT n, repeat(\'x\', 1000) FROM generate_series(1, 100000) n'));
    for await (const row of stream) if (row.n === 5) break;   // destroys it
    assert.strictEqual((await c.query('SELECT 1 AS n')).rows[0].n, 1);
  },
  async 'pg-copy-streams'(c) {
    await fresh(c, 'np_copy', 'n int PRIMARY KEY, t text');
    const lines = range(5000, (n) => `${n}\tt${n} é\n`);
    await pipeline(Readable.from(lines), c.query(copy.from('COPY np_copy FROM STDIN')));
    const parts = [];
    await pipeline(c.query(copy.to('COPY (SELECT * FROM np_copy ORDER BY n) TO STDOUT')),
      new Writable({ write(chunk, _, done) { parts.push(chunk); done(); } }));
    assert.strictEqual(Buffer.concat(parts).toString(), lines.join(''));
    await assert.rejects(pipeline(Readable.from(['1\tx\n']), c.query(copy.from('COPY np_copy FROM STDIN'))), { code: '23505' });
    assert.strictEqual((await c.query('SELECT count(*)::int AS n FROM np_copy')).rows[0].n, 5000);
    await fresh(c, 'np_copy2', 'n int PRIMARY KEY, t text');
    await opened({}, async (other) => pipeline(c.query(copy.to('COPY np_copy TO STDOUT (FORMAT binary)')),
      other.query(copy.from('COPY np_copy2 FROM STDIN (FORMAT binary)'))));
    assert.strictEqual((await c.query('SELECT count(*)::int AS n FROM (TABLE np_copy INTERSECT TABLE np_copy2) x')).rows[0].n, 5000);
  },
  async 'listen'(c) {
    const heard = [];
    c.on('notification', (m) => heard.push(`${m.channel}: ${m.payload}`));
    await c.query('LISTEN np_news; LISTEN "np Other"');
    await pooled(4, async (pool) => {
      for (let n = 0; n < 4; n++) await pool.query('SELECT pg_notify($1, $2)', ['np_news', String(n)]);
      await pool.query(`NOTIFY "np Other", 'x'`);
    });
    await c.query(`NOTIFY np_news, 'own'`);
    for (let i = 0; heard.length < 6 && i < 100; i++) await sleep(50);
    assert.deepStrictEqual(heard, [...range(4, (n) => `np_news: ${n}`), 'np Other: x', 'np_news: own']);
    await c.query('UNLISTEN *');
  },
  async 'notices'(c) {
    const heard = [];
    c.on('notice', (n) => heard.push([n.severity, n.message]));
    await c.query("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$");
    assert.deepStrictEqual(heard, [['NOTICE', 'one'], ['WARNING', 'two']]);
  },
  async 'timeouts'() {
    await opened({ statement_timeout: 150 }, async (c) => {
      for (let i = 0; i < 3; i++) await assert.rejects(c.query('SELECT pg_sleep(20)'), { code: '57014' });
      assert.strictEqual((await c.query('SHOW statement_timeout')).rows[0].statement_timeout, '150ms');
    });
    await opened({ statement_timeout: 0 }, async (c) => assert.strictEqual((await c.query('SHOW statement_timeout')).rows[0].statement_timeout, '0'));
    await opened({ lock_timeout: 2000, idle_in_transaction_session_timeout: 9000 }, async (c) => {
      for (let i = 0; i < 10; i++) {
        const { rows } = await c.query("SELECT current_setting('lock_timeout') AS l, current_setting('idle_in_transaction_session_timeout') AS i");
        assert.deepStrictEqual(rows, [{ l: '2s', i: '9s' }]);
      }
    });
  },
  async 'settings of the connection'() {
    await opened({ application_name: 'np one', options: '-c work_mem=7MB -c search_path=pg_catalog' }, (a) => opened({ application_name: 'np two' }, async (b) => {
      const ask = async (c) => Object.values((await c.query(`SELECT current_setting('application_name'), current_setting('work_mem') AS w,
        current_setting('search_path') AS s`)).rows[0]);
      for (let i = 0; i < 15; i++) {
        assert.deepStrictEqual(await ask(a), ['np one', '7MB', 'pg_catalog']);
        assert.deepStrictEqual(await ask(b), ['np two', '4MB', '"$user", public']);
      }
    }));
  },
  async 'a changed table'(c) {
    await fresh(c, 'np_changing', 'a int');
    await c.query('INSERT INTO np_changing VALUES (1)');
    const query = { name: 'changing', text: 'SELECT * FROM np_changing' };
    assert.deepStrictEqual((await c.query(query)).rows, [{ a: 1 }]);
    await opened({}, (other) => other.query('ALTER TABLE np_changing ADD COLUMN b int'));
    // A server answers 0A000 as long as the name stands. node-postgres asks for a description each time, so the new row is right, too.
    for (let i = 0; i < 8; i++) {
      const seen = await c.query(query).then((r) => r.rows[0], (e) => e.code);
      if (seen !== '0A000') assert.deepStrictEqual(seen, { a: 1, b: null });
    }
    assert.deepStrictEqual((await c.query({ name: 'another', text: 'SELECT * FROM np_changing' })).rows, [{ a: 1, b: null }]);
  },
  async 'a large result and a large parameter'(c) {
    const { rows } = await c.query('SELECT n, repeat(\'x\', 1000) AS t FROM generate_series(1, 5000) n');
    assert.ok(rows.length === 5000 && rows.every((r, i) => r.n === i + 1 && r.t.length === 1000));
    const big = 'é'.repeat(700000);
    assert.ok((await c.query('SELECT $1::text AS t', [big])).rows[0].t === big);
  },
  async 'empty and strange texts'(c) {
    assert.strictEqual((await c.query('')).command, null);
    assert.deepStrictEqual((await c.query(';')).rows, []);
    assert.deepStrictEqual((await c.query({ text: '', values: [] })).rows, []);
    assert.deepStrictEqual((await c.query('-- nothing\n')).rows, []);
    assert.deepStrictEqual((await c.query('SELECT')).rows, [{}]);
    const results = await c.query("SELECT 1 AS a; INSERT INTO np_copy VALUES (-1, 'x') RETURNING n; DELETE FROM np_copy WHERE n = -1; SELECT 2 AS b");
    return results.map((r) => [r.command, r.rowCount, r.rows]);
  },
  async 'a custom parser of types'(c) {
    const { rows } = await c.query({ text: 'SELECT count(*) AS n FROM generate_series(1, 10)', types: { getTypeParser: (oid, format) =>
      (oid === 20 ? (v) => BigInt(v) : types.getTypeParser(oid, format)) } });
    assert.strictEqual(rows[0].n, 10n);
  },
};

run(tests, async (test) => opened({}, test));
