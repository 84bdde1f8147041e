// A key as it is read for a look: its value as far as it is shown, and all that is known of it.
import { call, firstBytes, keyPath } from './call.js';
import { CAP } from './value.js';

// What stands under a key now; null when nothing does.
export async function read(store, name, options) {
  const path = keyPath(store, name);
  if (!path) throw new Error('The keys “.” and “..” can not be named in a URL; a batch can: POST /v1/stores/{store}/batch.');
  let response;
  try {
    response = await call('GET', path, options);
  } catch (refused) {
    if (refused.code === 'key_not_found') return null;
    throw refused;
  }
  const header = (which) => response.headers.get(which);
  const { bytes, whole } = await firstBytes(response, CAP);
  return {
    bytes,
    whole,
    size: Number(header('content-length') ?? bytes.length),
    type: header('content-type') ?? 'application/octet-stream',
    version: header('gridkv-version'),
    etag: header('etag'),
    written: header('last-modified'),
    expires: header('gridkv-expires-at'),
  };
}
