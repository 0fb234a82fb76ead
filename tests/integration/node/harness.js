// Runs named tests one after another; a line of JSON for each: its name, whether it held, what it returned, how long it took.
'use strict';

const PATIENCE = 25000;

function late(name) {
  let timer;
  const promise = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: no end after ${PATIENCE} ms`)), PATIENCE);
  });
  return { promise, stop: () => clearTimeout(timer) };
}

// `around(test)` opens what a test gets and closes it.
exports.run = async function run(tests, around) {
  const only = process.argv[2];
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    if (only && !name.includes(only)) continue;
    const result = { name, ok: true };
    const limit = late(name);
    const began = Date.now();
    try {
      const value = await Promise.race([around(test), limit.promise]);
      result.value = value === undefined ? null : value;
    } catch (e) {
      failed++;
      Object.assign(result, { ok: false, error: `${e.stack} ${e.code || ''} ${e.detail || ''} ${e.hint || ''}` });
    }
    limit.stop();
    result.ms = Date.now() - began;
    console.log(JSON.stringify(result, (_, v) => (typeof v === 'bigint' ? `${v}n` : v)));
  }
  process.exit(failed ? 1 : 0);
};

exports.range = (n, f = (i) => i) => Array.from({ length: n }, (_, i) => f(i));
exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
