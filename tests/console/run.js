// Every case, in order; the first failure ends the run and leaves a picture of what the browser showed.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { say, withBrowser } from './check.js';
import { keyboard, pictures } from './looks.js';
import { changes, conflict, convergence, expiry, hostile, operations, stores, unseen, watch } from './cases.js';
import { cluster, forget, hang } from './nodes.js';
import { admin, overflow, reader } from './tokens.js';
import { words } from './words.js';

const [one, two, three] = process.env.GRIDKV_URLS.split(' ');
const guarded = process.env.GRIDKV_GUARDED;
const out = process.env.GRIDKV_OUT;
mkdirSync(out, { recursive: true });
assert.ok(one && two && three && guarded);

const CASES = { watch, unseen, changes, pictures, conflict, expiry, hostile, stores, convergence, operations, keyboard, cluster, hang, forget, reader, admin, overflow };

await words();
await withBrowser(async ({ context, watched, page }) => {
  for (const [name, work] of Object.entries(CASES)) {
    const begun = Date.now();
    watched.begin();
    try {
      await work({ context, watched, page, out, one, two, three, guarded });
    } catch (error) {
      await page.screenshot({ path: `${out}/failed-${name}.png` }).catch(() => {});
      say(watched.faults.join('\n'));
      throw error;
    }
    assert.deepEqual(watched.faults, [], name);
    say(`ok ${name} (${Date.now() - begun} ms)`);
  }
});
process.exit(0);
