// What two states that follow each other say about the second between them.

const sum = (numbers) => numbers.reduce((all, number) => all + (number ?? 0), 0);

const reads = ({ operations: o }) => sum([o.get_hit, o.get_miss, o.list]);
const writes = ({ operations: o }) => sum([o.put, o.delete, o.touch]);

// Requests for data: what clients wait for, and not what consoles ask.
const isData = ({ route }) => route.startsWith('/v1/kv/') || route.endsWith('/batch');

export function sample(before, now) {
  const at = Date.parse(now.at) / 1000;
  const point = { at, buffer: Math.max(0, ...now.stores.map((store) => store.sync_buffer_len)) };
  const same = before && before.node.origin === now.node.origin;
  const took = same ? at - Date.parse(before.at) / 1000 : 0;
  if (took <= 0) return { ...point, reads: null, writes: null, ops: null, p99: null, hits: 0, misses: 0, answered: 0, codes: {}, stores: {} };
  const stores = {};
  for (const store of now.stores) {
    const earlier = before.stores.find(({ store: name }) => name === store.store) ?? store;
    stores[store.store] = {
      reads: (reads(store) - reads(earlier)) / took,
      writes: (writes(store) - writes(earlier)) / took,
      applied: (store.applied.applied - earlier.applied.applied) / took,
      hits: (store.cache?.hits ?? 0) - (earlier.cache?.hits ?? 0),
      misses: (store.cache?.misses ?? 0) - (earlier.cache?.misses ?? 0),
    };
  }
  const of = (field) => sum(Object.values(stores).map((store) => store[field]));
  const [r, w] = [of('reads'), of('writes')];
  return {
    ...point,
    stores,
    reads: r,
    writes: w,
    ops: r + w,
    p99: quantile(0.99, before.requests, now.requests),
    hits: of('hits'),
    misses: of('misses'),
    ...answers(before.requests, now.requests),
  };
}

const sameRoute = (one) => (other) => one.route === other.route && one.method === other.method;

// Answers between two counts, and how many were a 5xx, by code. That a node is not ready is what /readyz is asked for.
function answers(before, now) {
  const codes = {};
  let answered = 0;
  for (const route of now.routes) {
    const earlier = before.routes.find(sameRoute(route));
    for (const [code, number] of Object.entries(route.codes)) {
      const more = number - (earlier?.codes[code] ?? 0);
      answered += more;
      if (code >= 500 && more > 0 && route.route !== '/readyz') codes[code] = (codes[code] ?? 0) + more;
    }
  }
  return { answered, codes };
}

// The same over some samples.
export function errors(samples) {
  const codes = {};
  for (const one of samples) for (const [code, number] of Object.entries(one.codes)) codes[code] = (codes[code] ?? 0) + number;
  return { answered: sum(samples.map((one) => one.answered)), failed: sum(Object.values(codes)), codes };
}

// The quantile of the requests between two counts, in seconds; `null` when there were none. Within a bucket as if they
// were spread evenly, as Prometheus does.
function quantile(q, before, now) {
  const counts = now.bounds_seconds.map(() => 0).concat(0);
  for (const route of now.routes.filter(isData)) {
    const earlier = before.routes.find(sameRoute(route));
    route.not_slower.forEach((number, i) => {
      counts[i] += number - (earlier?.not_slower[i] ?? 0);
    });
  }
  const all = counts.at(-1);
  if (all <= 0) return null;
  const rank = q * all;
  const place = counts.findIndex((number) => number >= rank);
  const bounds = now.bounds_seconds;
  if (place >= bounds.length) return bounds.at(-1);
  const [low, below] = place > 0 ? [bounds[place - 1], counts[place - 1]] : [0, 0];
  const inside = counts[place] - below;
  return inside > 0 ? low + ((bounds[place] - low) * (rank - below)) / inside : bounds[place];
}

// The share of hits over some samples; `null` without a read.
export function hitRate(samples) {
  const [hits, misses] = [sum(samples.map((one) => one.hits)), sum(samples.map((one) => one.misses))];
  return hits + misses > 0 ? hits / (hits + misses) : null;
}

// The rates of a store: the mean of the last five seconds.
export function recent(samples, store) {
  const last = samples.slice(-5).map((one) => one.stores[store]).filter(Boolean);
  if (last.length === 0) return null;
  const mean = (field) => sum(last.map((one) => one[field])) / last.length;
  return { reads: mean('reads'), writes: mean('writes'), applied: mean('applied') };
}
