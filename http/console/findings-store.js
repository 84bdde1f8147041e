// What is wrong with a store of this node.
import { bytes, count, percent, since, span } from './figures.js';
import { HIT_RATE, RING_DEEP, hitLevel, memoryLevel, overflowLevel, persistLevel, ringLevel } from './levels.js';

export function ofStore(store, at) {
  const found = [];
  const name = store.store;
  if (ringLevel(store) !== 'ok') {
    found.push({
      kind: ringLevel(store),
      title: `The sync buffer of ${name} fills`,
      text: `${count(store.sync_buffer_len)} of ${count(store.sync_buffer_capacity)} operations; it should stay below ${count(RING_DEEP)}. If it overflows nothing is lost, and peers fetch the rest by catch-up. Look at the CPU of this node, or slow the writers down.`,
      alert: ringLevel(store) === 'bad' ? 'GridKVSyncBufferNearlyFull' : 'GridKVSyncBufferDeep',
    });
  }
  if (overflowLevel(store, at) !== 'ok') {
    found.push({
      kind: 'warn',
      title: `The sync buffer of ${name} overflowed`,
      text: `${span(since(store.sync_buffer_overflowed_at, at))} ago, the last time; ${count(store.sync_buffer_overwritten)} operations had no room since the start. Nothing is lost: they are in the store, and peers fetch them by catch-up, which costs reads here. Raise sync.buffer_size above the largest burst, or write in smaller ones. This stays for ten minutes after the last time.`,
      alert: 'GridKVSyncOperationsOverwritten',
    });
  }
  if (hitLevel(store) !== 'ok') {
    found.push({
      kind: 'warn',
      title: `The cache of ${name} misses`,
      text: `${percent(store.cache_hit_rate)} of the reads since the start were hits; ${percent(HIT_RATE)} is the aim. Give it more memory, or expect as much.`,
      alert: 'GridKVCacheHitRateLow',
    });
  }
  if (memoryLevel(store) !== 'ok') {
    found.push({
      kind: 'warn',
      title: `The memory of ${name} is nearly used`,
      text: `${bytes(store.memory_bytes)} of ${bytes(store.memory_limit_bytes)}. Raise max_memory_mb, or let values expire.`,
      alert: 'GridKVMemoryNearLimit',
    });
  }
  if (persistLevel(store, at) !== 'ok') {
    const { unsaved_operations: unsaved, last_success: last, failures } = store.persist;
    found.push({
      kind: persistLevel(store, at),
      title: `Writes to ${name} do not reach its disk`,
      text: `${count(unsaved)} are not there, and no run has ended well for ${span(since(last, at))}${failures > 0 ? ` (${count(failures)} failed since the start)` : ''}. A power cut now would take them from this node: the disk is full, slow or failing. Its log says more.`,
      alert: 'GridKVPersistStale',
    });
  }
  if (store.rolled_back) {
    found.push({
      kind: 'bad',
      title: `${name} came back with less than was on the disk`,
      text: 'Something ignores fsync, or a backup was put back. Peers give it back; look at the disk.',
      alert: 'GridKVStoreRolledBack',
    });
  }
  if (store.applied.collision > 0) {
    found.push({
      kind: 'bad',
      title: `A version in ${name} stands for two records`,
      text: `${count(store.applied.collision)} times since the start. A data directory was copied to a second node, or a disk gave back old data: stop the copy, and start that node with an empty directory. Keep the logs.`,
      alert: 'GridKVCollision',
    });
  }
  return found;
}
