// The console in a browser, against nodes that tests/console.rs starts and stops at the word of this script.
//
// Its standard output is a language: `node n2 kill` and the like, which is answered by `ok` on its standard input; all
// else that it has to say goes to standard error. Nothing here waits for a time to pass: always for a condition.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Tells the nodes' owner to do something, and waits until it is done.
export async function order(words) {
  process.stdout.write(`${words}\n`);
  const { value } = await answers.next();
  assert.equal(value, 'ok', words);
}

export const say = (text) => process.stderr.write(`${text}\n`);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// What no page may ever do: say an error, break the policy, or ask for anything elsewhere.
export class Watched {
  constructor() {
    this.faults = [];
    this.expected = [];
  }

  // What the next case provokes is its own: what the one before did is tolerated no more.
  begin() {
    this.faults = [];
    this.expected = [];
  }

  // A refusal that the case provokes, or the loss of a node that it stops.
  expect(pattern) {
    this.expected.push(pattern);
  }

  follow(page) {
    page.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      this.fault(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.fault(`error: ${error.stack}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol !== 'blob:' && url.protocol !== 'data:' && url.hostname !== '127.0.0.1') this.fault(`request to ${url}`);
    });
    page.on('dialog', (dialog) => {
      this.fault(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
  }

  fault(text) {
    if (!this.expected.some((pattern) => pattern.test(text))) this.faults.push(text);
  }
}

// A browser with a directory of its own, which goes with it.
export async function withBrowser(work) {
  const directory = mkdtempSync(join(tmpdir(), 'gridkv-console-'));
  const watched = new Watched();
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: process.env.GRIDKV_CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    viewport: { width: 1280, height: 860 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  context.setDefaultTimeout(60_000);
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  context.on('page', (page) => watched.follow(page));
  context.pages().forEach((page) => watched.follow(page));
  try {
    await work({ context, watched, page: context.pages()[0] });
  } finally {
    await context.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
  assert.deepEqual(watched.faults, []);
}

// Until what `look` says is true; it says why not otherwise.
export async function until(what, look, limit = 60_000) {
  const begun = Date.now();
  for (;;) {
    const found = await look();
    if (found) return Date.now() - begun;
    if (Date.now() - begun > limit) throw new Error(`waited ${limit} ms for ${what}`);
    await new Promise((go) => setTimeout(go, 25));
  }
}

export async function put(url, store, key, body, headers = {}) {
  const response = await fetch(`${url}/v1/kv/${store}/${encodeURIComponent(key)}`, { method: 'PUT', body, headers });
  assert.ok(response.ok, `${key}: ${response.status} ${await response.text()}`);
  return response.headers.get('gridkv-version');
}

// That axe-core finds nothing on the page as it is now.
export async function accessible(page, place) {
  // Not by a script tag: the policy of the page does not let one in.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(document, { resultTypes: ['violations'] }); })()`);
  const violations = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
  assert.deepEqual(violations, [], place);
  assert.ok(found.passes.length > 10, 'axe looked at something');
}
