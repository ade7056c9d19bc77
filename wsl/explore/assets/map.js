// The map: two points per snapshot, the selected one with lines to its neighbours.

const POINTS = { weights: { label: 'weights', symbol: 'circle' }, pairs: { label: '(D, R)', symbol: 'triangle' } };
const kinds = Object.keys(snapshots.places);
// Of each list of neighbours: from which point of the selected snapshot, to which points, and its colour.
const DIRECTIONS = {
  'weights to pairs': { from: 'weights', to: 'pairs', title: 'Nearest (D, R) to its weights', colour: '#0072b2' },
  'pairs to weights': { from: 'pairs', to: 'weights', title: 'Nearest weights to its (D, R)', colour: '#d55e00' },
  'weights to weights': { from: 'weights', to: 'weights', title: 'Nearest weights', colour: '#0072b2' },
};
const directions = Object.keys(snapshots.neighbours);
const chart = echarts.init(byId('map'));
const drawn = {}; // by kind: the snapshots whose points the chart has
let pointed = null; // {kind, snapshot} that the list of neighbours points to

const at = (kind, snapshot) => [snapshots.places[kind][2 * snapshot], snapshots.places[kind][2 * snapshot + 1]];

/** Return the neighbours of a snapshot in a direction, as {snapshot, cosine}, the nearest first. */
function neighbours(direction, snapshot) {
  const { count, rows, cosines } = snapshots.neighbours[direction];
  return Array.from({ length: count }, (_, place) => ({
    snapshot: rows[snapshot * count + place],
    cosine: cosines[snapshot * count + place],
  }));
}

const isShown = (kind) => !byId(`show-${kind}`) || byId(`show-${kind}`).checked;

function drawMap() {
  const column = columns.get(byId('colour').value);
  const { of, legend } = colouring(column);
  byId('legend').replaceChildren(node('b', {}, words(column.name)), ...legend);
  const { selected, visible } = state;
  const faint = selected === null ? 0.8 : 0.25;
  const size = visible.length > 1500 ? 6 : 9;
  const pointsOf = (kind, of) => (isShown(kind) ? of.map((snapshot) => [...at(kind, snapshot), snapshot]) : []);
  const series = kinds.map((kind) => ({
    id: kind,
    type: 'scatter',
    symbol: POINTS[kind].symbol,
    symbolSize: kind === 'pairs' ? size + 2 : size,
    ...(drawn[kind] === visible && isShown(kind) ? {} : { data: pointsOf(kind, visible) }),
    itemStyle: { color: (point) => of(point.value[2]), opacity: faint },
    z: 2,
  }));
  const lines = directions.map((direction) => {
    const { from, to, colour } = DIRECTIONS[direction];
    const found = selected === null ? [] : neighbours(direction, selected);
    return {
      id: `lines ${direction}`,
      type: 'line',
      data: found.flatMap(({ snapshot }) => [at(from, selected), at(to, snapshot), ['-', '-']]),
      showSymbol: false,
      silent: true,
      lineStyle: { color: colour, width: 1.3, opacity: 0.7 },
      z: 3,
    };
  });
  const rings = directions.map((direction) => {
    const { to, colour } = DIRECTIONS[direction];
    const found = selected === null ? [] : neighbours(direction, selected);
    return ring(`near ${direction}`, to, found, of, { borderColor: colour, borderWidth: 1.5 }, size + 3, 4);
  });
  const own = kinds.map((kind) => {
    const one = selected === null ? [] : [{ snapshot: selected }];
    return ring(`selected ${kind}`, kind, one, of, { borderColor: '#000', borderWidth: 2.5 }, 17, 5);
  });
  for (const kind of kinds) drawn[kind] = isShown(kind) ? visible : null;
  chart.setOption({ series: [...series, ...lines, ...rings, ...own, pointer()] });
}

function ring(id, kind, found, of, itemStyle, symbolSize, z) {
  const points = found.map(({ snapshot }) => [...at(kind, snapshot), snapshot]);
  const style = { ...itemStyle, color: (point) => of(point.value[2]), opacity: 1 };
  return { id, type: 'scatter', symbol: POINTS[kind].symbol, symbolSize, data: points, itemStyle: style, z };
}

function pointer() {
  const points = pointed ? [at(pointed.kind, pointed.snapshot)] : [];
  const look = { color: 'transparent', borderColor: '#000', borderWidth: 2 };
  return { id: 'pointer', type: 'scatter', symbol: 'circle', symbolSize: 26, silent: true, data: points, itemStyle: look, z: 6 };
}

function pointTo(kind, snapshot) {
  pointed = kind ? { kind, snapshot } : null;
  chart.setOption({ series: [pointer()] });
}

/** Return what hovering over a point shows. */
function tip(point) {
  const snapshot = point.value[2];
  const member = memberOf(snapshot);
  const kind = kinds.find((name) => point.seriesId.endsWith(name));
  const title = `${memberName(member)}, ${snapshotName(snapshot)}: ${POINTS[kind].label}`;
  const plan = PLAN.filter((name) => distinct(columns.get(name)) > 1 && name !== 'seed');
  return node('div', { class: 'tip' }, node('b', {}, title), ...classRows(member, 6), facts(RESULTS, snapshot), facts(plan, snapshot));
}

function extent(axis) {
  const values = kinds.flatMap((kind) => snapshots.places[kind].filter((_, place) => place % 2 === axis));
  const [low, high] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const margin = 0.05 * (high - low || 1);
  return { type: 'value', show: false, min: low - margin, max: high + margin };
}

/** Zoom by a factor around the middle; null: show the whole map. */
function zoom(factor) {
  const [{ start, end }] = chart.getOption().dataZoom;
  const [middle, half] = [(start + end) / 2, ((end - start) / 2) * (factor || 1)];
  const range = factor === null || half >= 50 ? [0, 100] : [Math.max(0, middle - half), Math.min(100, middle + half)];
  const batch = [0, 1].map((dataZoomIndex) => ({ dataZoomIndex, start: range[0], end: range[1] }));
  if (factor !== null) {
    const { start, end } = chart.getOption().dataZoom[1];
    const [middle, half] = [(start + end) / 2, ((end - start) / 2) * factor];
    [batch[1].start, batch[1].end] = half >= 50 ? [0, 100] : [Math.max(0, middle - half), Math.min(100, middle + half)];
  }
  chart.dispatchAction({ type: 'dataZoom', batch });
}

/** Select the visible snapshot that is `step` places after the selected one. */
function stepTo(step) {
  const { visible, selected } = state;
  if (!visible.length) return;
  const place = visible.indexOf(selected);
  select(visible[place < 0 ? 0 : (place + step + visible.length) % visible.length]);
}

function startMap() {
  const inside = { type: 'inside', filterMode: 'none', zoomOnMouseWheel: 'ctrl', minSpan: 2 };
  chart.setOption({
    animation: false,
    grid: { left: 8, right: 8, top: 44, bottom: 8 }, // no point lies below the buttons
    xAxis: extent(0),
    yAxis: extent(1),
    dataZoom: [{ ...inside, xAxisIndex: 0 }, { ...inside, yAxisIndex: 0 }],
    tooltip: { trigger: 'item', confine: true, formatter: tip, padding: 8 },
  });
  chart.on('click', (point) => select(point.value[2]));
  chart.getZr().on('click', (event) => event.target || select(null));
  byId('map').addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) stepTo(step);
    else if (event.key === 'Escape') select(null);
    else return;
    event.preventDefault();
  });
  byId('zoom-in').addEventListener('click', () => zoom(0.6));
  byId('zoom-out').addEventListener('click', () => zoom(1 / 0.6));
  byId('zoom-reset').addEventListener('click', () => zoom(null));
  for (const kind of kinds) byId(`show-${kind}`)?.addEventListener('change', drawMap);
  byId('colour').addEventListener('change', drawMap);
  views.push(drawMap);
}
