// Numbers, sizes, spans and moments for people; text that others wrote, made harmless to the eye.

const whole = new Intl.NumberFormat('en-US');

export const count = (number) => (number === null || number === undefined ? '–' : whole.format(number));

// Per second: with a digit behind the point while it is small.
export function rate(number) {
  if (number === null || number === undefined) return '–';
  return number > 0 && number < 10 ? number.toFixed(1) : whole.format(Math.round(number));
}

export function bytes(number) {
  if (number === null || number === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

export const percent = (share) => (share === null || share === undefined ? '–' : `${(share * 100).toFixed(1).replace('.0', '')}\u00a0%`);

export function millis(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const ms = seconds * 1000;
  if (ms >= 1000) return `${seconds.toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}

// A span in two units at most: `4 s`, `3 min 20 s`, `2 d 4 h`.
export function span(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const all = Math.floor(seconds);
  const parts = [
    [Math.floor(all / 86400), 'd'],
    [Math.floor(all / 3600) % 24, 'h'],
    [Math.floor(all / 60) % 60, 'min'],
    [all % 60, 's'],
  ];
  const first = parts.findIndex(([number]) => number > 0);
  const shown = parts.slice(first, first + 2).filter(([number]) => number > 0);
  return shown.map(([number, unit]) => `${number} ${unit}`).join(' ');
}

// Seconds from a moment until `now`, both as text or in milliseconds.
export const since = (moment, now) => Math.max(0, (ms(now) - ms(moment)) / 1000);

// Seconds from `now` until a moment that is to come, else 0.
export const until = (moment, now) => since(now, moment);

export const ms = (moment) => (typeof moment === 'number' ? moment : Date.parse(moment));

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const date = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });

export function time(moment) {
  const at = new Date(ms(moment));
  return Number.isNaN(at.getTime()) ? '–' : clock.format(at);
}

export function moment(text) {
  const at = new Date(ms(text));
  return Number.isNaN(at.getTime()) ? '–' : `${date.format(at)}, ${clock.format(at)}`;
}

// When a version was minted: its first 48 bits are milliseconds.
export const minted = (version) => parseInt(version.slice(0, 12), 16);

// What can not be seen, or turns round what stands beside it: controls, marks of direction, spaces without width.
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

const escaped = (c) => `\\u{${c.codePointAt(0).toString(16)}}`;

// Text that somebody stored, in one line: what can not be seen is written out.
export function inert(text, most = 300) {
  const short = text.length > most ? `${text.slice(0, most)}…` : text;
  return short.replace(UNSEEN, escaped);
}

// The same for text with lines.
export const inertLines = (text) => text.replace(UNSEEN, (c) => (c === '\n' || c === '\t' ? c : escaped(c)));
