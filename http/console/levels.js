// When a number is a warning: the same thresholds as those of the alerts.
import { since } from './figures.js';

export const RING_DEEP = 1000;
export const HIT_RATE = 0.9;
export const MEMORY = 0.9;
export const NEARLY_FULL = 0.8;
export const LAG_SECONDS = 10;
// What is shorter heartbeats make of an idle mesh, and is not shown.
export const LAG_SHOWN = 2;
export const SKEW_MS = 1000;
export const OVERFLOW_SECONDS = 600;
export const ERRORS = 0.01;
export const PURGE_SECONDS = 3600;
export const PERSIST_SECONDS = 60;
export const CERTIFICATE_SECONDS = 1209600;
export const CERTIFICATE_LAST_SECONDS = 172800;

export function ringLevel({ sync_buffer_len: length, sync_buffer_capacity: capacity }) {
  if (capacity && length > NEARLY_FULL * capacity) return 'bad';
  return length >= RING_DEEP ? 'warn' : 'ok';
}

// For ten minutes after the last time, as the alert looks back.
export function overflowLevel({ sync_buffer_overflowed_at: last }, now) {
  return last && since(last, now) < OVERFLOW_SECONDS ? 'warn' : 'ok';
}

export const skewLevel = (ms) => (Math.abs(ms ?? 0) > SKEW_MS ? 'warn' : 'ok');

export const errorLevel = (answered, failed) => (failed > ERRORS * answered ? 'bad' : 'ok');

// Of the hits since the start, once there were as many reads as the alert wants: one a second for 15 minutes. A cache that
// was asked for little says nothing yet.
export const TELLING_READS = 900;
export function hitLevel({ cache, cache_hit_rate: share }) {
  return cache && cache.hits + cache.misses > TELLING_READS && share < HIT_RATE ? 'warn' : 'ok';
}

export function memoryLevel({ memory_bytes: used, memory_limit_bytes: limit, cache }) {
  // A cache is full as a matter of course: it evicts.
  return limit && !cache && used > MEMORY * limit ? 'warn' : 'ok';
}

// Runs that failed are no trouble once a later one has ended well.
export function persistLevel({ persist }, now) {
  return persist?.unsaved_operations > 0 && since(persist.last_success, now) > PERSIST_SECONDS ? 'bad' : 'ok';
}

export const mailboxLevel = ({ messages, capacity }) => (capacity && messages > NEARLY_FULL * capacity ? 'warn' : 'ok');

// The watchdog calls an actor stuck after ten seconds.
export const silenceLevel = (ms) => (ms >= 10_000 ? 'bad' : ms >= 3_000 ? 'warn' : 'ok');

export function certificateLevel(seconds) {
  if (seconds < CERTIFICATE_LAST_SECONDS) return 'bad';
  return seconds < CERTIFICATE_SECONDS ? 'warn' : 'ok';
}

export const stateLevel = { up: 'ok', suspect: 'warn', down: 'bad' };

// Of a lag in seconds.
export function lagLevel(seconds) {
  if (seconds === null || seconds > LAG_SECONDS) return 'bad';
  return seconds >= LAG_SHOWN ? 'warn' : 'ok';
}
