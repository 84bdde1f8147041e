// A small line over the last two minutes.
import { html, useEffect, useRef } from './html.js';

const { uPlot } = window;

const HEIGHT = 56;

// Where a number stands between two that are not there: no line would show it.
function alone(plot, series) {
  const values = plot.data[series];
  const isThere = (value) => value !== null && value !== undefined;
  return [...values.keys()].filter((i) => isThere(values[i]) && !isThere(values[i - 1]) && !isThere(values[i + 1]));
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(width, limit) {
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    select: { show: false },
    padding: [4, 0, 2, 0],
    axes: [{ show: false }, { show: false }],
    scales: {
      x: { time: false, range: (_, low, high) => [high - 120, high] },
      y: { range: (_, low, high) => [0, Math.max(high ?? 0, limit ?? 0, 1e-9) * 1.05] },
    },
    series: [{}, { stroke: colour('--accent'), fill: colour('--accent-tint'), width: 1.5, points: { show: true, size: 3, width: 0, fill: colour('--accent'), filter: alone }, spanGaps: false }],
  };
}

// `points`: pairs of seconds and a number or null. `theme`: another one draws it anew.
export function Chart({ points, label, limit, theme }) {
  const place = useRef(null);
  const plot = useRef(null);
  const data = [points.map(([at]) => at), points.map(([, value]) => value)];
  useEffect(() => {
    const width = () => Math.max(60, place.current.clientWidth);
    plot.current = new uPlot(options(width(), limit), data, place.current);
    const watcher = new ResizeObserver(() => plot.current?.setSize({ width: width(), height: HEIGHT }));
    watcher.observe(place.current);
    return () => {
      watcher.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [theme, limit]);
  useEffect(() => plot.current?.setData(data));
  return html`<div class="chart" role="img" aria-label=${label} ref=${place}></div>`;
}
