// How it looks and how it is reached: axe-core on every page in both themes, the keyboard, and pictures.
import assert from 'node:assert/strict';
import { open } from './cases.js';
import { accessible, put, until } from './check.js';

export const PAGES = ['cluster', 'stores', 'keys', 'changes', 'convergence', 'actors', 'operations'];
const PLACES = { keys: '#/keys?store=main&prefix=app/&key=app/config.json', changes: '#/changes?store=main&since=0' };

const IMAGE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

async function fill(one) {
  const json = JSON.stringify({ region: 'eu-west', replicas: 3, features: { search: true, beta: false }, hosts: ['a.internal', 'b.internal'] });
  await put(one, 'main', 'app/config.json', json, { 'content-type': 'application/json' });
  await put(one, 'main', 'app/motd', 'Welcome back.', { 'content-type': 'text/plain' });
  await put(one, 'main', 'app/logo.png', Buffer.from(IMAGE, 'base64'), { 'content-type': 'image/png' });
  for (let i = 0; i < 40; i += 1) await put(one, 'main', `users/${1000 + i}/profile`, `{"id":${1000 + i}}`, { 'content-type': 'application/json' });
  for (let i = 0; i < 6; i += 1) {
    const response = await fetch(`${one}/v1/kv/main/app%2Fsession-${i}?ttl=${20 + i}m`, { method: 'PUT', body: 'x' });
    assert.ok(response.ok);
  }
}

const shown = async (page, name) => {
  // A number of troubles may follow the word: on a busy machine peers lag.
  await page.getByRole('link', { name: new RegExp(`^${name}( \\d+ to look at)?$`) }).waitFor();
  await page.locator('main h1').waitFor({ state: 'attached' });
  if (name === 'Keys') await page.getByRole('tabpanel').waitFor();
  if (name === 'Changes') await page.getByRole('log').waitFor();
  if (name === 'Cluster') await until('two samples', async () => (await page.locator('.chart canvas').count()) === 4);
};
const titleOf = (name) => name[0].toUpperCase() + name.slice(1);

export async function keyboard({ page, one }) {
  await page.goto('about:blank'); // the focus begins anew
  await open(page, one, '#/cluster');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'To the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  for (const name of PAGES) {
    await open(page, one, '#/nowhere');
    const title = titleOf(name);
    // A number of troubles may follow the word.
    for (let presses = 0; !(await focused(page)).startsWith(title); presses += 1) {
      assert.ok(presses < 40, `${title} is not reached by Tab`);
      await page.keyboard.press('Tab');
      // Behind the last one it is the browser's own turn, and nothing of the page.
      const outline = await page.evaluate(() => (document.activeElement === document.body ? 'browser' : getComputedStyle(document.activeElement).outlineStyle));
      assert.notEqual(outline, 'none', 'where the focus is, is seen');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor({ state: 'attached' });
    const [unreached, all] = await page.evaluate(() => {
      const controls = [...document.querySelectorAll('main button, main input, main select, main textarea, main a')].filter((one) => !one.disabled);
      return [controls.filter((one) => one.tabIndex < 0 && one.getAttribute('role') !== 'tab').length, controls.length];
    });
    assert.equal(unreached, 0, `${title}: of ${all} controls`);
  }
  // A key is opened, looked at in another way, and closed, all by keys; the focus comes back.
  await put(one, 'main', 'keyboard/only', '{"a":1}', { 'content-type': 'application/json' });
  await open(page, one, '#/keys?store=main&prefix=keyboard/');
  await page.getByRole('button', { name: /keyboard\/only/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('tab', { name: 'JSON', selected: true }).focus();
  await page.keyboard.press('ArrowRight');
  await page.getByRole('tab', { name: 'Text', selected: true }).waitFor();
  assert.equal(await focused(page), 'Text');
  await page.keyboard.press('Escape');
  await until('the focus to come back', async () => (await focused(page)).startsWith('keyboard/only'));
}

const focused = (page) => page.evaluate(() => document.activeElement.textContent.trim());

// Every page in both themes and two sizes: axe-core finds nothing, nothing is too wide, and a picture of each.
export async function pictures({ page, one, two, out }) {
  await fill(one);
  const load = busy(one, two);
  try {
    for (const theme of ['light', 'dark']) {
      await open(page, one, '#/cluster');
      await page.getByRole('button', { name: theme, exact: true }).click();
      for (const name of PAGES) {
        await page.setViewportSize({ width: 1280, height: 860 });
        await open(page, one, PLACES[name] ?? `#/${name}`);
        await shown(page, titleOf(name));
        if (name === 'cluster') await until('some samples', async () => page.evaluate(() => document.querySelector('.figure')?.textContent !== '–/s'));
        await accessible(page, `${name}, ${theme}`);
        for (const [width, height] of [[1280, 860], [360, 740]]) {
          await page.setViewportSize({ width, height });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(wide, 0, `${name} at ${width} is too wide`);
          if (name === 'cluster') {
            const cut = await page.locator('.scroll:has(.matrix)').evaluate((one) => one.scrollWidth - one.clientWidth);
            assert.equal(cut, 0, `of three nodes the matrix shows every column at ${width}`);
          }
          if (width === 360 && theme === 'light') await accessible(page, `${name}, narrow`);
          await page.screenshot({ path: `${out}/${name}-${theme}-${width}.png`, fullPage: width === 360 });
        }
      }
    }
    // The one of the README, which docs/console.png is a copy of.
    await page.setViewportSize({ width: 1280, height: 870 });
    await open(page, one, '#/cluster');
    await page.getByRole('button', { name: 'light', exact: true }).click();
    await shown(page, 'Cluster');
    await page.screenshot({ path: `${out}/readme.png` });
  } finally {
    await load.end();
    await page.setViewportSize({ width: 1280, height: 860 });
  }
}

// Something to be seen: some hundred reads and writes a second.
function busy(one, two) {
  let goes = true;
  const done = (async () => {
    for (let i = 0; goes; i += 1) {
      await Promise.all([
        put(i % 3 === 0 ? two : one, 'main', `orders/${i % 200}`, `order ${i}`),
        put(one, 'hot', `page/${i % 50}`, 'cached'),
        ...[3, 5, 7, 11].map((step) => fetch(`${one}/v1/kv/hot/page%2F${(i * step) % Math.min(i + 1, 50)}`)),
        fetch(`${one}/v1/kv/main/orders%2F${i % 150}`),
      ]);
      await new Promise((go) => setTimeout(go, i % 80 < 40 ? 30 : 60));
    }
  })();
  return {
    end: () => {
      goes = false;
      return done;
    },
  };
}
