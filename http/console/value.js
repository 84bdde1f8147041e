// A value as bytes, and the ways to look at it. None of them runs anything that is in it.
import { html, useEffect, useState } from './html.js';
import { bytes as size, inert, inertLines } from './figures.js';

// More than this is not fetched for a look.
export const CAP = 64 * 1024;

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp'];
const HEX_BYTES = 4096;
// Characters of a value in a line.
const BEGINNING = 120;

// The text of bytes, or null when they are not UTF-8. Of a beginning the last character may be cut.
export function textOf(bytes, whole) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: !whole });
  } catch {
    return null;
  }
}

// The same for a form, or null when a form would change it: browsers drop carriage returns there.
export function editable({ bytes, whole }) {
  const text = whole ? textOf(bytes, true) : null;
  return text === null || /[\u0000-\u0008\u000b-\u001f]/.test(text) ? null : text;
}

// The beginning of a value that comes as base64; nothing when a later change has overtaken it. No more of it is kept:
// a row for each of hundreds of large values would be more than a browser has.
export function beginning(value) {
  if (value === undefined) return '';
  const raw = atob(value.slice(0, 4 * BEGINNING));
  const all = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  const text = textOf(all, value.length <= 4 * BEGINNING);
  if (text !== null) return inert(text, BEGINNING);
  return [...all.subarray(0, 24)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

// The views that fit a value, the best first.
export function views(value) {
  const { bytes, type, whole } = value;
  const essence = type.split(';')[0].trim().toLowerCase();
  const text = textOf(bytes, whole);
  const found = [];
  if (IMAGES.includes(essence) && whole) found.push('image');
  if (text !== null && whole && jsonOf(text) !== null) found.push('json');
  if (text !== null) found.push('text');
  found.push('hex');
  return found;
}

// JSON with a line for each of its parts; null when it is none, or deeper than a page can show.
export function jsonOf(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return laidOut(text);
}

const PARTS = /"(?:[^"\\]+|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g;
const DEEPEST = 100;

// The parts stay as they are written: JavaScript would round long numbers, sort names and drop those that come twice.
function laidOut(text) {
  let out = '';
  let depth = 0;
  let fresh = false;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [part] of text.matchAll(PARTS)) {
    const opens = part === '[' || part === '{';
    const closes = part === ']' || part === '}';
    if (closes) depth -= 1;
    if (fresh !== closes) out += line();
    out += part;
    if (opens) depth += 1;
    if (depth > DEEPEST) return null;
    if (part === ':') out += ' ';
    fresh = opens;
    if (part === ',') out += line();
  }
  return out;
}

const TITLES = { image: 'Image', json: 'JSON', text: 'Text', hex: 'Hex' };

export function Value({ value }) {
  const offered = views(value);
  const [chosen, choose] = useState(offered[0]);
  const view = offered.includes(chosen) ? chosen : offered[0];
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = offered[(offered.indexOf(view) + step + offered.length) % offered.length];
    choose(next);
    document.getElementById(`view-${next}`)?.focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label="How the value is shown" onKeyDown=${move}>
      ${offered.map((one) => html`<button type="button" role="tab" id=${`view-${one}`} aria-selected=${one === view} aria-controls="value"
        tabindex=${one === view ? 0 : -1} onClick=${() => choose(one)}>${TITLES[one]}</button>`)}
    </div>
    <div id="value" role="tabpanel" aria-labelledby=${`view-${view}`} tabindex="0" class="value">
      ${view === 'image' ? html`<${Picture} value=${value} />` : html`<pre dir="auto">${shown(view, value)}</pre>`}
    </div>
    ${!value.whole && html`<p class="hint">The first ${size(value.bytes.length)} of ${size(value.size)}. The rest: use the curl line below with -o FILE.</p>`}`;
}

function shown(view, { bytes, whole }) {
  if (view === 'hex') return hex(bytes);
  const text = textOf(bytes, whole) ?? '';
  return inertLines(view === 'json' ? jsonOf(text) ?? text : text);
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, HEX_BYTES); at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const left = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ').padEnd(47);
    const right = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${left}  ${right}`);
  }
  if (bytes.length > HEX_BYTES) lines.push(`… ${size(bytes.length - HEX_BYTES)} more`);
  return lines.length > 0 ? lines.join('\n') : '(empty)';
}

function Picture({ value }) {
  const [url, setUrl] = useState(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([value.bytes], { type: value.type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [value]);
  if (broken) return html`<p class="hint">Its type says that it is an image, and it is none that this browser can read. Look at it as hex.</p>`;
  return url && html`<img src=${url} alt="The value, as an image" onError=${() => setBroken(true)} />`;
}
